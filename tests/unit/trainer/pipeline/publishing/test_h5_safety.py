"""What strangers put into h5 files is refused in one sentence, before Keras is loaded."""

import os
import re
from pathlib import Path

import h5py
import pytest

from shared.errors import ReadsmithError
from shared.store.store import ModelStore
from tests.support.hostile.h5 import HOSTILE, MISFITS, Hostile, changed, reader, write
from trainer.pipeline.networks.keras_files import load_foreign
from trainer.pipeline.publishing import h5_safety as foreign_h5
from trainer.pipeline.publishing.h5_safety import require_harmless
from trainer.pipeline.publishing.import_h5 import adopt


def expect(hostile: Hostile, error: ReadsmithError) -> None:
    assert error.code == hostile.code
    assert re.search(hostile.sentence, error.message)
    assert "\n" not in error.message
    assert len(error.message) < 500
    assert error.hint


def test_a_plain_reader_is_harmless_and_loads(tmp_path: Path) -> None:
    write(tmp_path / "model.h5", reader())
    require_harmless(tmp_path / "model.h5")
    assert load_foreign(tmp_path / "model.h5").output_shape == (None, 40, 6)


@pytest.mark.parametrize("name", sorted(set(HOSTILE) - {"no HDF5", "empty"}))
def test_what_means_harm_is_refused_before_keras_sees_it(name: str, tmp_path: Path) -> None:
    HOSTILE[name].write(tmp_path / "model.h5")
    with pytest.raises(ReadsmithError) as caught:
        require_harmless(tmp_path / "model.h5")
    expect(HOSTILE[name], caught.value)


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_its_weights_is_refused_before_it_is_built(
    name: str, tmp_path: Path
) -> None:
    MISFITS[name].write(tmp_path / "model.h5")
    require_harmless(tmp_path / "model.h5")
    with pytest.raises(ReadsmithError) as caught:
        load_foreign(tmp_path / "model.h5")
    expect(MISFITS[name], caught.value)


def test_too_many_objects_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_h5, "MAX_LINKS", 4)
    write(tmp_path / "model.h5", reader())
    with pytest.raises(ReadsmithError, match="more than 4 objects"):
        require_harmless(tmp_path / "model.h5")


def test_groups_that_hold_themselves_are_walked_once(tmp_path: Path) -> None:
    def hold_itself(weights: h5py.Group) -> None:
        weights["again"] = weights.parent.parent

    changed(hold_itself)(tmp_path / "model.h5")
    require_harmless(tmp_path / "model.h5")
    assert load_foreign(tmp_path / "model.h5").output_shape == (None, 40, 6)


@pytest.mark.parametrize("name", ["Lambda", "no HDF5", "empty", "truncated"])
def test_nothing_is_published_and_the_process_that_looked_is_gone(
    name: str, tmp_path: Path
) -> None:
    HOSTILE[name].write(tmp_path / "model.h5")
    with pytest.raises(ReadsmithError) as caught:
        adopt(tmp_path / "model.h5", "abcd", ModelStore(tmp_path / "store"), "old")
    expect(HOSTILE[name], caught.value)
    assert not (tmp_path / "store").exists()
    assert spawned() == []


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "model.h5").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ReadsmithError, match="more than 200,000,000 bytes"):
        adopt(tmp_path / "model.h5", "abcd", ModelStore(tmp_path / "store"), "old")


def spawned() -> list[str]:
    """Return the command lines of this process's spawned children."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    lines = [Path(f"/proc/{child}/cmdline").read_bytes().decode() for child in children]
    return [line for line in lines if "spawn_main" in line]
