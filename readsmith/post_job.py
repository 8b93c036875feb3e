"""Posts a job over HTTP and shows it until it ends."""

import contextlib
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from readsmith.client import TrainerClient
from readsmith.display import TrainingDisplay
from readsmith.output import say
from shared.errors import ReadsmithError
from trainer.progress import Progress, Stage

FINAL = ("succeeded", "failed", "cancelled")
POLL_SECONDS = 0.5


def upload(trainer: TrainerClient, path: Path) -> str:
    """Send a zip, or a folder as a zip, to the trainer and return its dataset id."""
    if path.is_file():
        return trainer.upload(path)
    with tempfile.TemporaryDirectory(prefix="readsmith-") as folder:
        zip_file = Path(folder) / "dataset.zip"
        with zipfile.ZipFile(zip_file, "w") as archive:
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(path))
        return trainer.upload(zip_file)


def run_job(
    trainer: TrainerClient, body: dict[str, Any], console: Console, watch: Callable[[], None]
) -> dict[str, Any]:
    """Post a job, show it, and return it in its final status; Ctrl-C cancels it.

    watch is called while waiting and raises to stop.
    """
    job = trainer.post_job(body)
    say(console, f"Job {job['id']} for model {job['model']}")
    try:
        with TrainingDisplay(console) as display:
            return _follow(trainer, job["id"], display, watch)
    except KeyboardInterrupt:
        with contextlib.suppress(ReadsmithError):
            trainer.cancel(job["id"])
        raise


def _follow(
    trainer: TrainerClient, job_id: str, display: TrainingDisplay, watch: Callable[[], None]
) -> dict[str, Any]:
    last = 0
    while True:
        watch()
        job = trainer.job(job_id)  # before its events, so that a final job's are all there
        while events := trainer.events(job_id, last):
            for event in events:
                if event["data"].get("stage") == Stage.TRAIN:
                    display.summary(trainer.job(job_id)["dataset"])
                _show(event, display)
            last = events[-1]["id"]
        if job["status"] in FINAL:
            return job
        time.sleep(POLL_SECONDS)


def _show(event: dict[str, Any], display: TrainingDisplay) -> None:
    data = event["data"]
    if event["type"] == "stage":
        display.stage(Stage(data["stage"]))
    elif event["type"] == "progress":
        fields = {name: data[name] for name in Progress.model_fields}
        display.progress(Progress.model_validate(fields))
    elif event["type"] != "status" or data["status"] not in FINAL:
        display.event(event["type"], event["message"], data)
