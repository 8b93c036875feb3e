"""What a training run works with, and what must be at hand before it can train.

Importing this imports TensorFlow.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shared.store.store import ModelStore
from trainer.files.job_files import JobFiles
from trainer.files.shared_files import SharedFiles
from trainer.pipeline.datasets.dataset import Base, Dataset
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.downloads.fetch import fetch
from trainer.pipeline.training.base import load_base
from trainer.schemas.job_request import JobRequest
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits, DownloadRules
from trainer.schemas.progress import Observer, Stage
from trainer.schemas.trial import TrialList, TrialLog
from trainer.settings import Settings


@dataclass(frozen=True)
class Inputs:
    """Where the images, the labels and the base of a run come from, and where it works."""

    work: Path
    """A private scratch folder."""
    cache: Path
    """Downloads, shared between jobs."""
    files: SharedFiles
    """Where uploads lie."""
    store: ModelStore
    limits: DatasetLimits = DEFAULT_LIMITS
    downloads: DownloadRules = field(default_factory=DownloadRules)
    local: Path | None = None
    """A folder or zip to use instead of the request's dataset (command line)."""
    save_corrections: Callable[[str, Path], None] | None = None
    """Writes a model's corrections as a zip; only a service has any."""
    job_files: JobFiles | None = None
    """Set where a later attempt may be on another machine."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        job_id: str,
        save_corrections: Callable[[str, Path], None] | None = None,
    ) -> "Inputs":
        """Return those of a job on this machine; raises StorageError."""
        return cls(
            work=settings.scratch / job_id,
            cache=settings.cache,
            files=settings.open_shared_files(),
            store=settings.model_store(settings.retained_versions),
            limits=settings.dataset_limits,
            downloads=settings.downloads,
            save_corrections=save_corrections,
            job_files=settings.job_files(job_id),
        )


@dataclass(frozen=True)
class RunContext:
    """On whose behalf a run trains and publishes, and with what."""

    job_id: str
    attempt: int
    inputs: Inputs
    may_publish: Callable[[], None]
    """Raises if this attempt no longer holds the job."""
    trials: TrialLog = field(default_factory=TrialList)
    """Keeps the trials of a job that searches."""


Load = Callable[[JobRequest], Dataset]
"""From a request, which may differ in its hyperparameters, to the set as it wants it."""


def prepare(request: JobRequest, inputs: Inputs, observer: Observer) -> tuple[Load, Base | None]:
    """Bring the set here; return how it is loaded, and what training starts from."""
    inputs.work.mkdir(parents=True, exist_ok=True)
    observer.stage(Stage.DOWNLOAD)
    source = inputs.local or fetch(
        request.dataset, inputs.cache, inputs.files, observer, inputs.downloads
    )
    observer.stage(Stage.DATASET)
    base = load_base(request, inputs.store)
    corrections = _corrections_zip(request, inputs)
    return lambda request: load_dataset(source, request, base, inputs.limits, corrections), base


def _corrections_zip(request: JobRequest, inputs: Inputs) -> Path | None:
    """Return a zip of the corrections that the request wants.

    It stays as it is for later attempts: with another dataset, they could not go on.
    """
    if not request.corrections or inputs.save_corrections is None:
        return None
    path = inputs.work / "corrections.zip"
    if inputs.job_files is not None:
        inputs.job_files.fetch(path)
    if not path.exists():
        inputs.save_corrections(request.model, path)
        if inputs.job_files is not None:
            inputs.job_files.save(path)
    return path
