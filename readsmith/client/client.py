"""Readsmith from Python: read images, train, and choose what is served."""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, Unpack
from urllib.parse import quote

from readsmith.client.connection import ServiceConnection
from readsmith.client.datasets import Datasets
from readsmith.client.errors import ServiceError
from readsmith.client.events import follow
from readsmith.client.predictions import (
    ImageInput,
    PredictionKeywords,
    bytes_of,
    predict,
    predict_combined,
    predict_many,
)
from readsmith.client.uploads import ZipForm, as_zip
from shared.api.datasets import Upload
from shared.api.health import PredictorReadiness, ServedModel, ServedModels
from shared.api.jobs import Event, EventPage, Job, JobPage
from shared.api.models import AllowedList, ModelView
from shared.api.predictions import CombinedPrediction, FeedbackReceipt, Prediction
from shared.api.problems import MEDIA_TYPE

PREDICTOR = "http://127.0.0.1:8080"
TRAINER = "http://127.0.0.1:8000"
RETRIES = 4


class Client:
    """The predictor and the trainer; not for several threads at once.

    retries: how often a request is repeated when a service answers 503 or cannot be reached,
    with growing waits or as long as it asks for; only requests that may safely be sent twice
    are. api_key: sent with each request; both services take the same keys. Every method raises
    ServiceError, and OSError for a file that cannot be read.
    """

    def __init__(
        self,
        predictor_url: str = PREDICTOR,
        trainer_url: str = TRAINER,
        *,
        retries: int = RETRIES,
        api_key: str | None = None,
    ) -> None:
        self.predictor_url = predictor_url
        self._predictor = ServiceConnection(predictor_url, retries=retries, api_key=api_key)
        self._trainer = ServiceConnection(trainer_url, retries=retries, api_key=api_key)
        self.datasets = Datasets(self._trainer)
        """The trainer's datasets: uploads, and living ones, whose labels change."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept alive."""
        self._predictor.close()
        self._trainer.close()

    def predict(self, image: ImageInput, **options: Unpack[PredictionKeywords]) -> Prediction:
        """Read one image."""
        return predict(self._predictor, image, options)

    def predict_many(
        self, images: Iterable[ImageInput], **options: Unpack[PredictionKeywords]
    ) -> Iterator[Prediction | ServiceError]:
        """Read images, many in each request.

        Each gives its prediction, or the reason why it has none, in order.
        """
        return predict_many(self._predictor, images, options)

    def predict_combined(
        self, images: Iterable[ImageInput], **options: Unpack[PredictionKeywords]
    ) -> CombinedPrediction:
        """Read several shots of one thing, up to 16, as one text; `frames` says what each shows.

        An image that cannot be read is left out, and its frame has an error.
        """
        return predict_combined(self._predictor, images, options)

    def feedback(
        self,
        text: str,
        *,
        image: ImageInput | None = None,
        request_id: str | None = None,
        index: int = 0,
        model: str | None = None,
    ) -> FeedbackReceipt:
        """Say what an image really reads; it becomes one of the model's corrections.

        Give the image, or the request_id of a prediction whose image the predictor keeps, and
        the image's index in that request. model: whose correction it is; else the model's that
        read it, or the default one's.
        """
        told: dict[str, Any] = {"text": text} | ({"model": model} if model else {})
        if image is not None:
            content = {"data": told, "files": {"image": ("image", bytes_of(image))}}
        else:
            content = {"json": {**told, "request_id": request_id, "index": index}}
        return self._predictor.ask(FeedbackReceipt, "POST", "/feedback", repeat=True, **content)

    def models(self) -> list[ServedModel]:
        """Return the models that answer now."""
        return self._predictor.ask(ServedModels, "GET", "/models", repeat=True).data

    def ready(self) -> PredictorReadiness:
        """Tell whether the predictor can read, and which versions; it is asked once."""
        answer = self._predictor.send("GET", "/readyz")
        if answer.headers.get("Content-Type") == MEDIA_TYPE:  # of a gateway, without a predictor
            raise self._predictor.refusal(answer)
        return self._predictor.parsed(PredictorReadiness, answer.content, answer.status_code)

    def upload(self, dataset: str | os.PathLike[str]) -> str:
        """Send a zip of labelled images, or a folder as a zip; return the dataset's id."""
        with as_zip(Path(dataset)) as zip_file:
            form = ZipForm(zip_file)
            upload = self._trainer.ask(Upload, "POST", "/datasets", data=form, headers=form.headers)
        return upload.id

    def delete_dataset(self, dataset_id: str) -> None:
        """Delete an upload that no queued or running job needs."""
        self.datasets.delete(dataset_id)

    def start_job(
        self, request: Mapping[str, Any] | None = None, *, idempotency_key: str | None = None
    ) -> Job:
        """Queue a training run; request is the body of POST /jobs.

        With the same key the same request makes one job, however often it is sent; a new key is
        made up unless one is given.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._trainer.ask(
            Job, "POST", "/jobs", repeat=True, json=dict(request or {}), headers=headers
        )

    def job(self, job_id: str) -> Job:
        """Return a job."""
        return self._trainer.ask(Job, "GET", f"/jobs/{quote(job_id, safe='')}", repeat=True)

    def jobs(self, limit: int = 20) -> list[Job]:
        """Return the latest jobs, newest first; limit: 1 to 100."""
        return self._trainer.ask(JobPage, "GET", "/jobs", repeat=True, params={"limit": limit}).data

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop and return it."""
        return self._trainer.ask(Job, "POST", f"/jobs/{quote(job_id, safe='')}/cancel")

    def finish(self, job_id: str) -> Job:
        """Ask a job in training to end it soon and publish the best; return the job."""
        return self._trainer.ask(Job, "POST", f"/jobs/{quote(job_id, safe='')}/finish")

    def events(
        self, job_id: str, after: int = 0, *, watch: Callable[[], None] = lambda: None
    ) -> Iterator[Event]:
        """Yield the events of a job behind the one with this id as they happen, until it ends.

        watch is called every 15 seconds at least and may raise to stop.
        """
        return follow(self._trainer, f"/jobs/{quote(job_id, safe='')}/events", after, watch)

    def past_events(self, job_id: str, after: int = 0) -> list[Event]:
        """Return the next events of a job behind the one with this id, up to 100, without waiting.

        None are left if there are none.
        """
        path = f"/jobs/{quote(job_id, safe='')}/events"
        return self._trainer.ask(EventPage, "GET", path, repeat=True, params={"after": after}).data

    def model(self, name: str) -> ModelView:
        """Return the retained versions of a model, and which is served."""
        return self._trainer.ask(ModelView, "GET", f"/models/{quote(name, safe='')}", repeat=True)

    def promote(self, name: str, version: int) -> ModelView:
        """Make a retained version the served one."""
        return self._change(name, "promote", {"version": version}, repeat=True)

    def rollback(self, name: str) -> ModelView:
        """Serve the version that was served before."""
        return self._change(name, "rollback", None, repeat=False)

    def delete_model(self, name: str, version: int | None = None, *, force: bool = False) -> None:
        """Delete a version, or a whole model; force: also what is served.

        For seven days restore_model takes it back.
        """
        path = f"/models/{quote(name, safe='')}" + (f"/versions/{version}" if version else "")
        answer = self._trainer.send("DELETE", path, params={"force": str(force).lower()})
        if not answer.ok:
            raise self._trainer.refusal(answer)

    def restore_model(self, name: str, version: int | None = None) -> ModelView:
        """Take back the deletion of a version, or of all deleted ones."""
        return self._change(name, "restore", {"version": version}, repeat=False)

    def set_default(self, name: str) -> ModelView:
        """Have this model answer requests that name none."""
        return self._change(name, "default", None, repeat=True)

    def pattern(self, name: str, pattern: str | None) -> ModelView:
        """Set what a model's predictions must fit, None for anything."""
        return self._change(name, "pattern", {"pattern": pattern}, repeat=True)

    def allowed(self, name: str) -> AllowedList:
        """Return the list of texts that a model's predictions may be."""
        path = f"/models/{quote(name, safe='')}/allowed"
        return self._trainer.ask(AllowedList, "GET", path, repeat=True)

    def allow(
        self,
        name: str,
        texts: Sequence[str] | None,
        *,
        check_digit: str | None = None,
        threshold: float | None = None,
    ) -> ModelView:
        """Set the texts that a model's predictions may be, None for any.

        check_digit: the rule that they must fit, as in docs/patterns.md; threshold: the confidence
        below which an image is taken to show none of them; None: 0.5.
        """
        body = {
            "texts": texts and list(texts),
            "check_digit": check_digit,
            "threshold": threshold,
        }
        return self._change(name, "allowed", body, repeat=True)

    def _change(
        self, name: str, what: str, body: dict[str, Any] | None, *, repeat: bool
    ) -> ModelView:
        path = f"/models/{quote(name, safe='')}/{what}"
        return self._trainer.ask(ModelView, "POST", path, repeat=repeat, json=body)
