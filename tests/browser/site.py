"""A running trainer with its dashboard, and who acts as its worker."""

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect

from shared.api.jobs import Job, JobError, Progress, Stage
from shared.store.manifest import Metrics
from shared.store.store import ModelStore
from tests.support.models.bundles import calibration, publish
from trainer.database.job_queue import JobQueue
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.schemas.job import Claim
from trainer.schemas.job_request import DatasetRequest, JobRequest, Synthetic
from trainer.schemas.progress import RunResult
from trainer.settings import Settings
from trainer.workers.job_process import JobObserver

REQUEST = JobRequest(dataset=DatasetRequest(synthetic=Synthetic()), model="plates")
EPOCHS = 20


class ActingWorker:
    """A job that is taken up: the test tells of it what a run would tell."""

    def __init__(self, settings: Settings, queue: JobQueue, claim: Claim) -> None:
        self._settings = settings
        self._claim = claim
        self._queue = queue
        self.observer = JobObserver(queue, claim)

    def train(self, epochs: int) -> None:
        """Tell of so many epochs, each a twentieth better than the one before."""
        self.observer.stage(Stage.TRAIN)
        for epoch in range(1, epochs + 1):
            self.epoch(epoch)

    def epoch(self, epoch: int) -> None:
        """Tell of an epoch."""
        self.observer.progress(
            Progress(
                epoch=epoch,
                epochs=EPOCHS,
                loss=1 / epoch,
                validation_loss=2 / epoch,
                exact_match=epoch / EPOCHS,
                images_per_second=100,
                seconds=epoch,
                seconds_left=120,
            )
        )

    def succeed(self, build: Path) -> None:
        """End the job with a version of the model plates that is really there."""
        bundle = publish(
            ModelStore(self._settings.store), build, model="plates", job_id=self._claim.job_id
        )
        assert isinstance(bundle.metrics, Metrics)
        result = RunResult(
            model="plates",
            version=bundle.version,
            metrics=bundle.metrics,
            calibration=calibration(),
            seconds_to={},
            parameters={},
            preset="conv",
        )
        self._queue.succeed(self._claim, result)

    def fail(self, error: JobError) -> None:
        """End the job with the reason."""
        self._queue.fail(self._claim, error)

    def cancelled(self) -> None:
        """End the job because it was asked to stop."""
        self._queue.cancelled(self._claim)


@dataclass(frozen=True)
class Site:
    """Nobody works on the jobs of this trainer but the tests."""

    url: str
    settings: Settings
    database: Database
    predictor_port: int
    """Where the trainer looks for a predictor."""

    def job(self, job_id: str) -> Job:
        """Return a job."""
        return JobStore(self.database, max_queued_jobs=100).get(job_id)

    def post(self, request: JobRequest = REQUEST) -> str:
        """Queue a job for the model plates; return its id."""
        return JobStore(self.database, max_queued_jobs=100).create(request).id

    def take(self) -> ActingWorker:
        """Take the oldest waiting job up."""
        queue = JobQueue(self.database, lease_seconds=600, max_attempts=3)
        claim = queue.claim()
        assert claim is not None, "no job waits"
        return ActingWorker(self.settings, queue, claim)


def wait_for_images(page: Page) -> None:
    """Return once the page has all its images, and none was refused."""
    expect(page.locator(".image:not([src])")).to_have_count(0)
    for image in page.locator(".image").all():
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("(image) => image.naturalWidth") > 0
    expect(page.locator(".missing")).to_have_count(0)
