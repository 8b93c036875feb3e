"""What the routes work with, built once per app."""

from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from trainer.api.metrics import JobCounts
from trainer.api.slow_calls.call_limit import CallLimit
from trainer.api.slow_calls.event_streams import EventStreams
from trainer.api.slow_calls.predictor_proxy import CONNECTIONS, PredictorLink
from trainer.api.slow_calls.thread_pool import ThreadPoolWatch
from trainer.database.corrections import Corrections
from trainer.database.datasets.images import DatasetImages
from trainer.database.datasets.imports import DatasetImports
from trainer.database.datasets.labels import Labels
from trainer.database.datasets.living import LivingDatasets
from trainer.database.datasets.room import DatasetRoom
from trainer.database.datasets.uploads import Uploads
from trainer.database.datasets.versions import DatasetVersions
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.settings import Settings


class Services:
    """The trainer's stores; raises ReadsmithError or OSError if one cannot be opened."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.jobs_database)
        self.jobs = JobStore(self.database, max_queued_jobs=settings.max_queued_jobs)
        self.files = settings.open_shared_files()
        limits = settings.dataset_limits
        room = DatasetRoom(self.database, self.files, settings.max_stored_upload_bytes)
        self.uploads = Uploads(
            self.database,
            settings.uploads,
            self.files,
            room,
            max_bytes=settings.max_upload_bytes,
            limits=limits,
        )
        self.datasets = LivingDatasets(self.database, self.files)
        self.dataset_images = DatasetImages(self.database, self.files, room, limits)
        self.dataset_imports = DatasetImports(self.database, settings, room)
        self.dataset_versions = DatasetVersions(self.database, self.files)
        self.labels = Labels(self.database)
        self.corrections = Corrections(
            self.database, self.files, max_bytes=settings.max_corrections_bytes
        )
        self.models = settings.model_store()
        self.models.prepare()
        self.predictor = PredictorLink(settings.predictor_url)
        self.downloads = CallLimit("downloads", running=2, waiting=4)
        # Each uses all processors.
        self.uploads_to_store = CallLimit("uploads", running=2, waiting=64)
        self.new_images = CallLimit("requests with images", running=1, waiting=16)
        self.checks = CallLimit("dataset checks", running=1, waiting=4)
        # A small file may need much memory once it is decoded, so one at a time.
        self.images = CallLimit("images", running=1, waiting=64)
        self.reports = CallLimit("reports", running=2, waiting=16)
        self.predictions = CallLimit(
            "requests to the predictor", running=CONNECTIONS, waiting=8 * CONNECTIONS
        )
        self.streams = EventStreams(self.jobs)
        self.thread_pool = ThreadPoolWatch()
        self.registry = CollectorRegistry()
        self.registry.register(JobCounts(self.jobs))


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


TheServices = Annotated[Services, Depends(_services)]
"""A route's parameter of this type gets the app's services."""
