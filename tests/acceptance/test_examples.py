"""The examples do what they say, with real services."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.store.store import ModelStore
from tests.browser.site import ActingWorker
from tests.support.labelled_images import image, labelled_zip, texts
from tests.support.models.bundles import png, publish
from tests.support.paths import ROOT
from tests.support.services import services
from tests.support.services.workers import wait_until
from trainer.database.job_queue import JobQueue
from trainer.database.tables import Database
from trainer.settings import Settings

EXAMPLES = ROOT / "examples"
LANGUAGES = {"py": sys.executable, "sh": "sh", "mjs": "node"}


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    """The ending of an example's name, where what runs it is installed."""
    ending = str(request.param)
    for tool in (LANGUAGES[ending], *(["curl"] if ending == "sh" else [])):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} here")
    return ending


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, and an image of the default one."""
    folder = tmp_path_factory.mktemp("examples")
    publish(ModelStore(folder / "models"), folder / "build")
    (folder / "an image.png").write_bytes(png("ab"))
    (folder / "text.png").write_text("no image")
    labelled_zip(folder / "my.zip", ["A", "B"])
    return folder


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[dict[str, str]]:
    """Both services, as the environment variables that name them."""
    with services.predictor(folder) as predictor, services.trainer(folder) as trainer:
        yield {"READSMITH_PREDICTOR_URL": predictor.url, "READSMITH_TRAINER_URL": trainer.url}


def example(
    name: str, arguments: Sequence[str], folder: Path, settings: dict[str, str]
) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [LANGUAGES[name.rpartition(".")[2]], EXAMPLES / name, *arguments],
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)} | settings,
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_images_are_read(language: str, folder: Path, running: dict[str, str]) -> None:
    told = example(f"call_the_api/read.{language}", ["an image.png"], folder, running)

    assert told.returncode == 0, told.stderr
    assert "an image.png" in told.stdout
    assert "ab" in told.stdout.partition("an image.png")[2]


def test_why_an_image_has_no_prediction_is_told(
    language: str, folder: Path, running: dict[str, str]
) -> None:
    told = example(f"call_the_api/read.{language}", ["text.png"], folder, running)

    assert "is not an image in a supported format" in told.stdout + told.stderr


def test_a_zip_is_trained_on(language: str, folder: Path, running: dict[str, str]) -> None:
    settings = Settings(store=folder / "models", state=folder / "state")
    database = Database(settings.jobs_database)
    queue = JobQueue(database, lease_seconds=600, max_attempts=3)

    def work() -> None:
        claims: list[ActingWorker] = []
        wait_until(lambda: claims or _take(settings, queue, claims))
        claims[0].train(2)
        claims[0].succeed(folder / f"build-{language}")

    worker = threading.Thread(target=work, daemon=True)
    with ExitStack() as at_last:
        at_last.callback(database.close)
        worker.start()
        told = example(f"call_the_api/train.{language}", ["my.zip", "plates"], folder, running)
        worker.join(60)

    assert told.returncode == 0, told.stderr
    assert "poch 2" in told.stdout or language == "mjs"
    assert "plates" in told.stdout


def _take(settings: Settings, queue: JobQueue, claims: list[ActingWorker]) -> bool:
    claim = queue.claim()
    if claim is not None:
        claims.append(ActingWorker(settings, queue, claim))
    return claim is not None


def test_a_folder_of_ones_own_becomes_a_reader(tmp_path: Path) -> None:
    labels = sorted(set(texts(200, "ABCDEHKLMNPRTX", 4)))[:60]
    images = tmp_path / "my images"
    images.mkdir()
    for number, label in enumerate(labels):
        (images / f"{label}.png").write_bytes(image(label, (128, 32), number))

    told = example(
        "train_on_your_own_folder/train.sh", [str(images), "--epochs", "3"], tmp_path, {}
    )

    assert told.returncode == 0, told.stderr
    assert "60 images: " in told.stdout
    assert "Published mine version 1" in told.stdout
    assert f"{labels[0]}.png" in told.stdout
