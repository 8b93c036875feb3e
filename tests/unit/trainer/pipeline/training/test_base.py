import shutil
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from shared.store.manifest import Manifest
from shared.store.store import ModelStore
from tests.support.models.bundles import publish
from trainer.pipeline.training.base import load_base
from trainer.schemas.job_request import JobRequest


class Vanishing(ModelStore):
    """Removes a version as soon as somebody looks at it, as a publication beside it may."""

    def manifest(self, model: str, version: int) -> Manifest:
        shutil.rmtree(self.folder(model, version))
        return super().manifest(model, version)


@pytest.mark.parametrize("kind", [ModelStore, Vanishing])
def test_a_base_that_is_not_kept_any_more_is_named(tmp_path: Path, kind: type[ModelStore]) -> None:
    for number in range(3):
        publish(ModelStore(tmp_path / "models", keep=1), tmp_path / f"{number}")
    gone = 1 if kind is ModelStore else 3
    with pytest.raises(ReadsmithError) as caught:
        load_base(JobRequest(base=gone), kind(tmp_path / "models"))
    assert caught.value.code == "base_not_found"
    assert f"no version {gone}" in caught.value.message
    assert caught.value.hint.startswith("Its versions: 2")
