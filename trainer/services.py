"""What the routes work with, built once per app."""

from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from trainer.corrections import Corrections
from trainer.database import Database
from trainer.job_store import JobStore
from trainer.metrics import JobCounts
from trainer.predictor_link import PredictorLink
from trainer.settings import Settings
from trainer.shared_files import shared_files
from trainer.uploads import Uploads


class Services:
    """The trainer's stores; raises ReadsmithError or OSError if one cannot be opened."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.jobs_database)
        self.jobs = JobStore(self.database, max_queued_jobs=settings.max_queued_jobs)
        self.files = shared_files(settings)
        self.uploads = Uploads(
            self.database,
            settings.uploads,
            self.files,
            max_bytes=settings.max_upload_bytes,
            max_stored_bytes=settings.max_stored_upload_bytes,
            limits=settings.dataset_limits,
        )
        self.corrections = Corrections(
            self.database, self.files, max_bytes=settings.max_corrections_bytes
        )
        self.models = settings.model_store()
        self.models.prepare()
        self.predictor = PredictorLink(settings.predictor_url)
        self.registry = CollectorRegistry()
        self.registry.register(JobCounts(self.jobs))


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


TheServices = Annotated[Services, Depends(_services)]
"""A route's parameter of this type gets the app's services."""
