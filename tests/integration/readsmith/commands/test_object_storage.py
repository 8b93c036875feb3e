"""The command line with models on a real S3-compatible server."""

import json
from pathlib import Path

import pytest

from tests.support.commands import Run
from tests.support.services.object_storage import BUCKET, Proxy

ADDRESS = f"s3://{BUCKET}/models"


@pytest.fixture(autouse=True)
def _cache(storage: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READSMITH_STORE_CACHE", str(tmp_path / "cache"))


def test_models_are_copied_there_listed_changed_and_read_with(
    run: Run, store: Path, images: Path
) -> None:
    run("models", "default", "stripes", "--store", store)
    copied = run("models", "copy", ADDRESS, "--store", store)
    assert (copied.exit_code, copied.stdout) == (0, f"stripes: 1, 2 copied to {ADDRESS}.\n")
    again = run("models", "copy", ADDRESS, "--store", store)
    assert (again.exit_code, "There is a model stripes already" in again.stderr) == (1, True)

    back = run("models", "rollback", "stripes", "--store", ADDRESS, "--json")
    assert json.loads(back.stdout) == {"model": "stripes", "current": 1, "previous": None}
    listed = json.loads(run("models", "list", "--store", ADDRESS, "--json").stdout)["data"]
    assert [(each["version"], each["current"]) for each in listed] == [(1, True), (2, False)]

    chosen = run("models", "default", "--store", ADDRESS, "--json")
    assert json.loads(chosen.stdout) == {"default": "stripes"}
    answer = run("predict", images / "ab.png", "--store", ADDRESS, "--json")
    (prediction,) = json.loads(answer.stdout)["results"]
    assert (prediction["text"], prediction["version"]) == ("ab", 1)


def test_a_wrong_address_is_a_wrong_option_and_a_wrong_bucket_one_line(run: Run) -> None:
    wrong = run("models", "list", "--store", "s3://Our_Bucket")
    assert wrong.exit_code == 2
    assert "s3://bucket/prefix" in wrong.stderr
    missing = run("models", "list", "--store", "s3://no-such-bucket/models")
    assert missing.exit_code == 1
    assert missing.stderr.splitlines()[0].endswith(
        "There is no bucket for s3://no-such-bucket/models."
    )
    assert "Traceback" not in missing.stderr
