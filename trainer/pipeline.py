"""A training run from its request to the published version. Importing this imports TensorFlow."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from shared.model_store import ModelStore
from trainer.comparison import Promotion, compare_with, tell_outcome
from trainer.dataset import Base, Dataset
from trainer.kept_files import KeptFiles
from trainer.progress import Observer, RunResult, Stage
from trainer.requests import JobRequest
from trainer.safe_zip import DEFAULT_LIMITS, DatasetLimits
from trainer.settings import Settings
from trainer.shared_files import SharedFiles
from trainer.stages.dataset import load_dataset
from trainer.stages.download import describe, fetch
from trainer.stages.evaluate import evaluate
from trainer.stages.export import (
    Origin,
    build_bundle,
    clear_folder,
    make_manifest,
    require_same_readings,
)
from trainer.stages.train import train
from trainer.start import load_base
from trainer.trials import TrialList, TrialLog
from trainer.web_request import DownloadRules


@dataclass(frozen=True)
class RunContext:
    """Where a run works and on whose behalf."""

    job_id: str
    attempt: int
    work: Path
    """A private scratch folder."""
    cache: Path
    """Downloads, shared between jobs."""
    files: SharedFiles
    """Where uploads lie."""
    store: ModelStore
    may_publish: Callable[[], None]
    """Raises if this attempt no longer holds the job."""
    local: Path | None = None
    """A folder or zip to use instead of the request's dataset (command line)."""
    limits: DatasetLimits = DEFAULT_LIMITS
    downloads: DownloadRules = field(default_factory=DownloadRules)
    save_corrections: Callable[[str, Path], None] | None = None
    """Writes a model's corrections as a zip; only a service has any."""
    trials: TrialLog = field(default_factory=TrialList)
    """Keeps the trials of a job that searches."""
    kept: KeptFiles | None = None
    """Set where a later attempt may be on another machine."""
    cluster: Settings | None = None
    """Of the Ray cluster whose machine this is: the settings for its other machines."""


def run(request: JobRequest, context: RunContext, observer: Observer) -> RunResult:
    """Train and publish one version.

    Raises ReadsmithError for what a user can mend, CancelledRunError when told to stop.
    """
    load, base = prepare(request, context, observer)
    dataset = _checked(load, request, observer)

    observer.stage(Stage.TRAIN)
    if request.search is None:
        trained = train(dataset, request, observer, context.work, base, kept=context.kept)
    else:
        from trainer.search import Pictures, search  # noqa: PLC0415 - imports Optuna

        pictures = Pictures(dataset, load)
        found = search(request, request.search, pictures, base, observer, context)
        request, dataset, trained = found.request, found.dataset, found.trained

    observer.stage(Stage.EVALUATE)
    evaluation = evaluate(trained, dataset, observer)
    promotion = Promotion(
        request.promote,
        compare=lambda served: compare_with(
            served, evaluation.readings, dataset, context.store, request.model, observer
        ),
    )
    promotion.measure(context.store.current_if_known(request.model))

    observer.stage(Stage.EXPORT)
    # Of its own: an earlier attempt that counts as lost may still be at work.
    build = clear_folder(context.work / f"bundle-{context.attempt}")
    build_bundle(trained, evaluation, dataset, build)
    require_same_readings(build, dataset, evaluation)
    observer.checkpoint()
    origin = Origin(
        job_id=context.job_id,
        attempt=context.attempt,
        dataset=str(context.local.name) if context.local else describe(request.dataset),
        base=trained.base,
    )
    published = context.store.publish(
        build,
        make_manifest(trained, evaluation, dataset, request, origin, promotion),
        model=request.model,
        job_id=context.job_id,
        may_publish=context.may_publish,
        promote=promotion.decide,
    )
    promoted = context.store.current_if_known(published.model) == published.version
    tell_outcome(published, promoted, observer)
    return RunResult(
        model=published.model,
        version=published.version,
        promoted=promoted,
        metrics=evaluation.metrics,
        calibration=evaluation.calibration,
        comparison=published.comparison,
        seconds_to=trained.seconds_to,
        parameters=asdict(trained.parameters),
        preset=request.preset,
    )


Load = Callable[[JobRequest], Dataset]
"""From a request, which may differ in its hyperparameters, to the set as it wants it."""


def prepare(
    request: JobRequest, context: RunContext, observer: Observer
) -> tuple[Load, Base | None]:
    """Bring the set here; return how it is loaded, and what training starts from."""
    context.work.mkdir(parents=True, exist_ok=True)
    observer.stage(Stage.DOWNLOAD)
    source = context.local or fetch(
        request.dataset, context.cache, context.files, observer, context.downloads
    )
    observer.stage(Stage.DATASET)
    base = load_base(request, context.store)
    corrections = _kept_corrections(request, context)
    return lambda request: load_dataset(source, request, base, context.limits, corrections), base


def _checked(load: Load, request: JobRequest, observer: Observer) -> Dataset:
    """Load the set and tell what is in it."""
    dataset = load(request)
    observer.summary(dataset.summary)
    if request.corrections:
        added = dataset.summary["corrections"]
        message = f"{added} corrections of model {request.model} were added to the training part."
        observer.event("corrections", message, {"added": added})
    return dataset


def _kept_corrections(request: JobRequest, context: RunContext) -> Path | None:
    """Return a zip of the corrections that the request wants.

    It stays as it is for later attempts: with another dataset, they could not go on.
    """
    if not request.corrections or context.save_corrections is None:
        return None
    path = context.work / "corrections.zip"
    if context.kept is not None:
        context.kept.fetch(path)
    if not path.exists():
        context.save_corrections(request.model, path)
        if context.kept is not None:
            context.kept.keep(path)
    return path
