"""The first job of `make run`: from images to predictions of images held out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from readsmith.client import Client, ServiceError
from readsmith.options.options import api_key
from readsmith.output import percent, say
from readsmith.services.follow_job import run_job
from readsmith.services.held_out import HeldOutPrediction, read_held_out
from readsmith.stores import open_store
from shared.api.jobs import Job, JobError
from shared.errors import CODES, DownloadError, FailedError, ReadsmithError
from trainer.schemas.job_request import JobRequest

SHOWN = 8
"""So many predictions are printed."""


@dataclass(frozen=True)
class FirstJobResult:
    """A finished job, and what the predictor read with its version."""

    job: Job
    predictions: list[HeldOutPrediction]

    @property
    def correct(self) -> int:
        """How many predictions on held-out images were correct."""
        return sum(prediction.correct for prediction in self.predictions)

    @property
    def mostly_correct(self) -> bool:
        """True if more than half were."""
        return 2 * self.correct > len(self.predictions)

    @property
    def images(self) -> str:
        """What the images are: drawn ones are called so, and ones that were learned from."""
        drawn = self.job.request["dataset"].get("synthetic") is not None
        images = "synthetic images" if drawn else "images"
        learned_from = self.job.metrics is not None and self.job.metrics.folds is not None
        return f"{images}, learned from as well," if learned_from else f"held-out {images}"

    def as_json(self) -> dict[str, Any]:
        """Return the outcome for --json."""
        return {
            "job": self.job.as_sent(),
            "held_out": {
                "images": len(self.predictions),
                "correct": self.correct,
                "predictions": [
                    {"file": str(r.file), "truth": r.truth, "text": r.text}
                    for r in self.predictions
                ],
            },
        }


@dataclass(frozen=True)
class FirstJob:
    """Where the services are; watch is called while waiting and raises to stop."""

    trainer: str
    predictor: str
    store: str
    console: Console
    watch: Callable[[], None]

    def run(self, request: JobRequest, local: Path | None) -> FirstJobResult:
        """Train, wait until the predictor serves the new version, read the held-out images.

        local: a folder or zip to upload as the dataset. Raises ReadsmithError, among others
        with the job's own error.
        """
        with Client(self.predictor, self.trainer, api_key=api_key()) as client:
            job, version = self._train(client, request, local)
            say(self.console, f"Published {job.model} version {version}; waiting for the predictor")
            bundle = open_store(self.store).folder(job.model, version)
            predictions = read_held_out(client, bundle, job.model, version, self.watch)
        outcome = FirstJobResult(job, predictions)
        self._print(outcome)
        return outcome

    def _train(self, client: Client, request: JobRequest, local: Path | None) -> tuple[Job, int]:
        """Return the job that succeeded, and its version."""
        body = request.model_dump(mode="json", exclude_unset=True)
        if local is not None:
            say(self.console, f"Sending {local} to the trainer")
            body["dataset"] = {"id": client.upload(local)}
        job = run_job(client, body, self.console, self.watch)
        if "dataset" not in body and job.error and _is_of_the_download(job.error):
            say(self.console, f"The default images cannot be had: {job.error.message}")
            say(self.console, "Going on with synthetic images, drawn by the captcha library.")
            body["dataset"] = {"synthetic": {}}
            job = run_job(client, body, self.console, self.watch)
        if job.version is None:
            raise _failure(job)
        return job, job.version

    def _print(self, outcome: FirstJobResult) -> None:
        for prediction in outcome.predictions[:SHOWN]:
            mark = "right" if prediction.correct else "WRONG"
            confidence = percent(prediction.confidence)
            text = prediction.text or "nothing"
            say(self.console, f"  {prediction.truth} read as {text}  {mark}  {confidence}")
        total = len(outcome.predictions)
        say(self.console, f"{outcome.correct} of {total} {outcome.images} right")
        say(self.console, "Go on with:")
        image = outcome.predictions[0].file
        say(self.console, f"  curl -X POST -F 'image=@{image}' {self.predictor}/predict")
        say(self.console, f"  curl {self.predictor}/models")
        say(self.console, f"  curl {self.trainer}/jobs/{outcome.job.id}")


def _is_of_the_download(error: JobError) -> bool:
    """Tell whether the images are out of reach, as where names lead to a proxy inside."""
    return issubclass(CODES.get(error.code, ReadsmithError), DownloadError)


def _failure(job: Job) -> ReadsmithError:
    if job.error is None:
        hint = "Start it again: readsmith up --first-job"
        return FailedError("job_cancelled", "The job was cancelled.", hint)
    return ServiceError(job.error.code, job.error.message, job.error.hint)
