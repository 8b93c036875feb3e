"""The first job against a real predictor and a trainer that publishes stripes at once."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from readsmith.options.job_request import job_request
from readsmith.services.first_job import FirstJob, FirstJobResult
from shared.errors import ReadsmithError
from shared.store.store import ModelStore
from tests.support.models.bundles import png, publish
from tests.support.services import services
from tests.support.services.scripted_api import serving

HELD_OUT = {"a.png": "a", "ab.png": "ab", "c.png": "c"}
EPOCH = {
    "epoch": 1, "epochs": 9, "loss": 0.5, "validation_loss": 0.6, "exact_match": 0.25,
    "images_per_second": 100.0, "seconds": 8.0, "seconds_left": 65.0,
    "estimated_finish_at": "2026-01-02T03:04:05Z",
}  # fmt: skip
SUMMARY = {
    "images": 30, "split": {"train": 24, "validation": 3, "test": 3}, "left_out": {"duplicate": 2},
    "reasons": {"height": "48: the starter weights fit it"},
    "warnings": ["2 characters are seen fewer than 5 times"],
}  # fmt: skip


UPLOAD = {
    "id": f"dataset-{'0' * 32}", "bytes": 9, "sha256": "0" * 64,
    "created_at": "2026-01-02T03:04:05Z",
}  # fmt: skip


class Trainer:
    """Answers as the trainer does; every job publishes a version, unless it is told to fail."""

    def __init__(self, store: Path, build: Path) -> None:
        self.store = store
        self.build = build
        self.posted: list[dict[str, Any]] = []
        self.uploads: list[bytes] = []
        self.failure: dict[str, Any] | None = None
        self.truths = HELD_OUT

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/datasets":
            self.uploads.append(body)
            return 201, UPLOAD
        if method == "POST":
            self.posted.append(json.loads(body))
            if "synthetic" in self.posted[-1].get("dataset", {}):
                self.failure = None
            if self.failure is None:
                self._publish()
        if "/events" in path:
            return 200, _events("failed" if self.failure else "succeeded")
        return 202 if method == "POST" else 200, self._job()

    def _publish(self) -> None:
        rows = "".join(f"{name},{text}\n" for name, text in self.truths.items())
        files = {f"report/held_out/{name}": png(Path(name).stem) for name in self.truths}
        labels = {"report/held_out/labels.csv": f"filename,text\n{rows}".encode()}
        publish(ModelStore(self.store), self.build, model="stripes", files=files | labels)

    def _job(self) -> dict[str, Any]:
        dataset = self.posted[-1].get("dataset", {"url": "https://example.org/v2.zip"})
        return {
            "id": f"job-{len(self.posted)}",
            "created_at": "2026-01-02T03:04:05Z",
            "status": "failed" if self.failure else "succeeded",
            "model": "stripes",
            "preset": "conv",
            "metadata": {},
            "attempt": 1,
            "version": None if self.failure else len(ModelStore(self.store).versions("stripes")),
            "request": {"dataset": dataset},
            "dataset": SUMMARY,
            "error": self.failure,
        }


def _events(end: str) -> bytes:
    told = [
        ("status", "Queued.", {"status": "queued"}),
        ("stage", "Stage train.", {"stage": "train"}),
        ("progress", "Epoch 1", EPOCH),
        ("restart", "Trying again with a lower rate.", {}),
        ("status", "Over.", {"status": end}),
    ]
    events = (
        {"id": number, "at": "2026-01-02T03:04:05Z", "type": kind, "message": text, "data": data}
        for number, (kind, text, data) in enumerate(told, 1)
    )
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return Trainer(tmp_path / "published", tmp_path / "bundle")


@pytest.fixture
def predictor(tmp_path: Path) -> Iterator[str]:
    with services.predictor(tmp_path, READSMITH_STORE=str(tmp_path / "published")) as service:
        yield service.url


def train(
    trainer: Trainer, predictor: str, dataset: str | None = None, local: Path | None = None
) -> tuple[FirstJobResult, str]:
    written = io.StringIO()
    console = Console(file=written, width=200, markup=False, highlight=False)
    with serving(trainer.answer) as url:
        first = FirstJob(url, predictor, str(trainer.store), console, lambda: None)
        outcome = first.run(job_request(dataset, model="stripes"), local)
    return outcome, written.getvalue()


def test_held_out_images_are_read_by_the_new_version(trainer: Trainer, predictor: str) -> None:
    outcome, text = train(trainer, predictor, "https://example.org/set.zip")

    assert trainer.posted == [
        {"labels": "auto", "model": "stripes", "dataset": {"url": "https://example.org/set.zip"}}
    ]
    assert [prediction.text for prediction in outcome.predictions] == ["a", "ab", "c"]
    assert "ab read as ab  right" in text
    assert "3 of 3 held-out images right" in text
    assert outcome.mostly_correct


def test_the_job_is_shown_as_it_goes(trainer: Trainer, predictor: str) -> None:
    _, text = train(trainer, predictor)

    assert "Queued." in text
    assert "Training\n" in text
    assert "epoch 1/9  loss 0.500  exact match 25.0 %  100 images/s  about 1:05 left" in text
    assert "Trying again with a lower rate." in text
    assert "30 images: 24 to train, 3 to validate, 3 held out; left out: 2 duplicate" in text
    assert "Warning: 2 characters are seen" in text


def test_the_printed_curl_line_reads_an_image(trainer: Trainer, predictor: str) -> None:
    _, text = train(trainer, predictor)
    line = re.search(r"curl -X POST -F 'image=@(?P<file>[^']+)' (?P<url>\S+)/predict", text)

    assert line is not None
    assert Path(line["file"]).is_file()
    assert line["url"] == predictor


def test_the_version_of_a_second_job_is_waited_for(trainer: Trainer, predictor: str) -> None:
    train(trainer, predictor)
    trainer.truths = {"ba.png": "ba"}

    outcome, _ = train(trainer, predictor)

    assert outcome.job.version == 2
    assert [prediction.text for prediction in outcome.predictions] == ["ba"]


def test_mostly_wrong_predictions_are_no_success(trainer: Trainer, predictor: str) -> None:
    trainer.truths = {"a.png": "a", "b.png": "a"}

    outcome, text = train(trainer, predictor)

    assert "1 of 2 held-out images right" in text
    assert "a read as b  WRONG" in text
    assert not outcome.mostly_correct


def test_a_folder_is_uploaded_as_a_zip(trainer: Trainer, predictor: str, images: Path) -> None:
    train(trainer, predictor, local=images)

    [form] = trainer.uploads
    with zipfile.ZipFile(io.BytesIO(form[form.index(b"PK") :])) as archive:
        assert archive.read("ab.png") == png("ab")
    assert trainer.posted[0]["dataset"] == {"id": f"dataset-{'0' * 32}"}


def test_synthetic_images_replace_default_ones_that_cannot_be_downloaded_and_are_named(
    trainer: Trainer, predictor: str
) -> None:
    trainer.failure = {"code": "download_failed", "message": "No network.", "hint": ""}

    outcome, text = train(trainer, predictor)

    assert "The default images cannot be had: No network." in text
    assert trainer.posted[1]["dataset"] == {"synthetic": {}}
    assert "3 of 3 held-out synthetic images right" in text
    assert outcome.mostly_correct


def test_images_that_were_asked_for_are_never_replaced(trainer: Trainer, predictor: str) -> None:
    trainer.failure = {"code": "download_failed", "message": "No network.", "hint": "Try later."}

    with pytest.raises(ReadsmithError, match=r"No network\.") as raised:
        train(trainer, predictor, "https://example.org/set.zip")

    assert len(trainer.posted) == 1
    assert (raised.value.code, raised.value.hint) == ("download_failed", "Try later.")


def test_ctrl_c_cancels_the_job(trainer: Trainer) -> None:
    asked: list[str] = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        asked.append(f"{method} {path}")
        return trainer.answer(method, path, b"{}")

    def interrupt() -> None:
        raise KeyboardInterrupt

    with serving(answer) as url, suppress(KeyboardInterrupt):
        first = FirstJob(url, url, str(trainer.store), Console(file=io.StringIO()), interrupt)
        first.run(job_request(None, model="stripes"), None)

    assert asked == ["POST /jobs", "GET /jobs/job-1/events", "POST /jobs/job-1/cancel"]
