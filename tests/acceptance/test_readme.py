"""The README's command lines do what they show, with both services."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from readsmith.__main__ import app
from readsmith.client import Client
from shared.store.store import ModelStore
from tests.acceptance.test_documentation import LINES
from tests.support.labelled_images import image, write_zip
from tests.support.models.bundles import encoded, png
from tests.support.models.bundles import image as stripes
from tests.support.models.reports import publish_with_report
from tests.support.services import services
from tests.support.services.web_site import answer, serve

CHARACTERS = "ab0AB1"
ELSEWHERE = "127.0.0.2"
NOT_RUN = {
    "up": "it serves until Ctrl-C; tests/unit/readsmith/services/test_services.py",
    "train": "takes minutes; tests/faults/test_tutorial.py",
    "label": "it serves until Ctrl-C; tests/integration/readsmith/commands/test_label.py",
    "watch": "it watches until Ctrl-C; tests/integration/readsmith/commands/test_watch.py",
    "learning-curve": "takes minutes; tests/unit/readsmith/commands/test_learning_curve.py",
    "models import": "needs an h5; tests/integration/trainer/pipeline/test_import_h5.py",
    "doctor": "says what is wrong with this machine; tests/integration/readsmith",
    "datasets import": "asks the port 8000; tests/integration/readsmith/client/test_datasets.py",
    "jobs": "asks the port 8000; tests/unit/readsmith/commands/test_jobs.py",
    "keys": "would lock the others out; tests/integration/readsmith/commands/test_keys.py",
}
UNFINISHED = ("cancel", "finish", "report")
"""Of a job that has been cancelled: answered with 409."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files and models that the README speaks of."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "var").mkdir()
    (folder / "models").symlink_to("var/models", target_is_directory=True)
    store = ModelStore(folder / "var" / "models")
    for model in ("captcha", "captcha", "captcha", "default", "plates"):
        publish_with_report(store, folder / "build", model, characters=CHARACTERS)
    images = {f"{text}.png": png(text, CHARACTERS) for text in ("ab", "b0", "AB", "a1")}
    write_zip(folder / "new-captchas.zip", images)
    named = {f"{text}_{n}.png": image(text, seed=n) for n in range(8) for text in "AHX"}
    write_zip(folder / "my-captchas.zip", named)
    (folder / "texts.txt").write_text("ab0ab\nb0a1b\n")
    (folder / "images").mkdir()
    for name in ("captcha.png", "plate.png", "1.png", "2.png", "3.png", "images/1.png"):
        (folder / name).write_bytes(encoded(stripes("ab0", CHARACTERS)))
    return folder


@pytest.fixture(scope="module")
def real(folder: Path) -> Iterator[Callable[[str], str]]:
    """Put what is really there in the place of what the README only names."""
    zipped = (folder / "my-captchas.zip").read_bytes()
    with (
        serve({"/captchas.zip": lambda handler: answer(handler, zipped)}, ELSEWHERE) as web,
        services.trainer(folder, READSMITH_DOWNLOAD_ALLOW=ELSEWHERE) as trainer,
        services.predictor(folder, READSMITH_TRAINER_URL=trainer.url) as predictor,
        Client(predictor.url, trainer.url) as client,
    ):
        dataset = client.upload(folder / "my-captchas.zip")
        job = client.start_job({"dataset": {"id": dataset}})
        client.cancel(job.id)
        there = {
            "http://localhost:8000": trainer.url,
            "http://localhost:8080": predictor.url,
            "https://example.org": web.url,
            "dataset-0123456789abcdef0123456789abcdef": dataset,
            "job-0123456789abcdef0123456789abcdef": job.id,
        }

        def replaced(word: str) -> str:
            for named, found in there.items():
                word = word.replace(named, found)
            return word

        yield replaced


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("line", [line for line in LINES if line[:1] == ["curl"]], ids=" ".join)
def test_every_request_is_answered(
    line: list[str], folder: Path, real: Callable[[str], str]
) -> None:
    words = [*map(real, line), "-sS", "-w", "\n%{http_code}"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    body, _, status = done.stdout.rpartition("\n")

    unfinished = any(word.endswith(UNFINISHED) and "/jobs/" in word for word in line)
    assert status == "409" if unfinished else status.startswith("2"), body


@pytest.mark.parametrize(
    "line",
    [
        line
        for line in LINES
        if line[:1] == ["readsmith"]
        and NOT_RUN.keys().isdisjoint((line[1], " ".join(line[1:3])))
        # tests/integration/readsmith has a storage of its own
        and "s3://our-bucket/models" not in line
    ],
    ids=" ".join,
)
def test_every_quick_command_does_its_work(
    line: list[str],
    folder: Path,
    real: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, [real(word) for word in line[1:]])

    assert done.exit_code == 0, done.output
