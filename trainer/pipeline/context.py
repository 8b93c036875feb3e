"""The inputs and context of a training run, and the steps before its training.

Importing this imports TensorFlow.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shared.api.jobs import Stage
from shared.store.store import ModelStore
from trainer.files.job_files import JobFiles
from trainer.files.shared_files import SharedFiles
from trainer.pipeline.datasets.dataset import Base, Dataset
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.writers.versions import assemble
from trainer.pipeline.downloads.fetch import fetch
from trainer.pipeline.training.base import load_base
from trainer.schemas.job_request import DatasetRequest, JobRequest
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits, DownloadRules
from trainer.schemas.progress import Observer
from trainer.schemas.trial import TrialList, TrialLog
from trainer.settings import Settings


@dataclass(frozen=True)
class Inputs:
    """Where a run gets its images, labels and base version, and where it works."""

    work: Path
    """A private scratch folder."""
    cache: Path
    """Cached downloads, shared between jobs."""
    files: SharedFiles
    """Where uploads are stored."""
    store: ModelStore
    limits: DatasetLimits = DEFAULT_LIMITS
    downloads: DownloadRules = field(default_factory=DownloadRules)
    local: Path | None = None
    """A folder or zip to use instead of the request's dataset (command line)."""
    save_corrections: Callable[[str, Path], None] | None = None
    """Writes a model's corrections as a zip; only a service has any."""
    job_files: JobFiles | None = None
    """Copies of scratch files; set where a later attempt may run on another machine."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        job_id: str,
        save_corrections: Callable[[str, Path], None] | None = None,
    ) -> "Inputs":
        """Return the inputs of a job on this machine; raises StorageError."""
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
    """The job and attempt that a run belongs to, and its inputs."""

    job_id: str
    attempt: int
    inputs: Inputs
    may_publish: Callable[[], None]
    """Raises if this attempt is stale: it no longer holds the job."""
    trials: TrialLog = field(default_factory=TrialList)
    """Stores the trials of a search."""


Load = Callable[[JobRequest], Dataset]
"""From a request to its dataset; the trials of a search differ in their hyperparameters."""


def prepare(request: JobRequest, inputs: Inputs, observer: Observer) -> tuple[Load, Base | None]:
    """Fetch the dataset; return the function that loads it, and the base version."""
    inputs.work.mkdir(parents=True, exist_ok=True)
    observer.stage(Stage.DOWNLOAD)
    source = inputs.local or _linked(_fetched(request.dataset, inputs, observer), inputs.work)
    observer.stage(Stage.DATASET)
    base = load_base(request, inputs.store)
    corrections = _corrections_zip(request, inputs)
    return lambda request: load_dataset(source, request, base, inputs.limits, corrections), base


def _fetched(dataset: DatasetRequest, inputs: Inputs, observer: Observer) -> Path:
    if dataset.id is not None and dataset.version is not None:
        return assemble(dataset.id, dataset.version, inputs.cache, inputs.files, observer)
    return fetch(dataset, inputs.cache, inputs.files, observer, inputs.downloads)


def _linked(cached: Path, work: Path) -> Path:
    """Link a cached file into the scratch folder: the cache may delete it before the job's end."""
    link = work / cached.name
    try:
        link.hardlink_to(cached)
    except FileExistsError:  # of an earlier attempt, or another trial
        return link
    except OSError:  # another disk, or one without links
        return cached
    return link


def _corrections_zip(request: JobRequest, inputs: Inputs) -> Path | None:
    """Return a zip of the model's corrections, None if the request does not use them."""
    if not request.corrections or inputs.save_corrections is None:
        return None
    # Saved once per job: a correction added between two attempts would change the dataset, and
    # a checkpoint is resumed only with the dataset it was made from.
    path = inputs.work / "corrections.zip"
    if inputs.job_files is not None:
        inputs.job_files.fetch(path)
    if not path.exists():
        inputs.save_corrections(request.model, path)
        if inputs.job_files is not None:
            inputs.job_files.save(path)
    return path
