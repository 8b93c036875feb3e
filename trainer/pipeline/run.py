"""A training run, from its request to the published version. Importing this imports TensorFlow."""

from typing import TYPE_CHECKING

from shared.api.jobs import Stage
from shared.store.manifest import Manifest
from trainer.pipeline.context import Load, RunContext, prepare
from trainer.pipeline.datasets.dataset import Base, Dataset
from trainer.pipeline.detection.detect import detect_lines
from trainer.pipeline.downloads.fetch import describe
from trainer.pipeline.evaluation.evaluate import evaluate
from trainer.pipeline.evaluation.predictions import Evaluation
from trainer.pipeline.evaluation.promotion import Promotion, compare_with, report_outcome
from trainer.pipeline.publishing.export import (
    Origin,
    build_bundle,
    clear_folder,
    make_manifest,
    require_same_predictions,
)
from trainer.pipeline.search.committee import train_committee
from trainer.pipeline.search.race import train_best
from trainer.pipeline.training.results import Trained
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer, RunResult

if TYPE_CHECKING:
    from trainer.pipeline.search.trial import TrainTrials


def run(
    request: JobRequest,
    context: RunContext,
    observer: Observer,
    train_trials: "TrainTrials | None" = None,
) -> RunResult:
    """Train and publish one version.

    train_trials: trains the trials of a search; None: in this process, one after the other.
    Raises ReadsmithError for what a user can fix, CancelledRunError if the job is cancelled.
    """
    inputs = context.inputs
    load, base = prepare(request, inputs, observer)
    dataset = _load(load, request, observer)

    observer.stage(Stage.TRAIN)
    dataset = detect_lines(dataset, request, observer, inputs.work)
    request, dataset, trained = _trained(
        request, dataset, load, base, observer, context, train_trials
    )

    observer.stage(Stage.EVALUATE)
    evaluation = evaluate(trained, dataset, observer, request.allowed)
    promotion = Promotion(
        request.promote,
        evaluation.learned,
        compare=lambda served: compare_with(
            served, evaluation.predictions, dataset, inputs.store, request.model, observer
        ),
    )
    # Before the export: publish() only measures again if another version is served by then.
    promotion.measure(inputs.store.current_if_known(request.model))

    observer.stage(Stage.EXPORT)
    # A folder per attempt: a stale attempt, whose worker missed its heartbeats, may still write.
    build = clear_folder(inputs.work / f"bundle-{context.attempt}")
    build_bundle(trained, evaluation, dataset, build)
    require_same_predictions(build, dataset, evaluation)
    observer.checkpoint()  # publishing cannot be undone
    name = inputs.local.name if inputs.local else describe(request.dataset)
    origin = Origin(context.job_id, context.attempt, name)
    published = inputs.store.publish(
        build,
        make_manifest(trained, evaluation, dataset, request, origin, promotion),
        model=request.model,
        job_id=context.job_id,
        may_publish=context.may_publish,
        promote=promotion.decide,
    )
    promoted = inputs.store.current_if_known(published.model) == published.version
    report_outcome(published, promoted, observer)
    return _result(request, trained, evaluation, published, promoted)


def _trained(
    request: JobRequest,
    dataset: Dataset,
    load: Load,
    base: Base | None,
    observer: Observer,
    context: RunContext,
    train_trials: "TrainTrials | None",
) -> tuple[JobRequest, Dataset, Trained]:
    """Train as requested; return what was trained, with its own request and dataset."""
    inputs = context.inputs
    if dataset.folds:
        request, trained = train_committee(
            dataset, request, observer, inputs.work, inputs.job_files
        )
        return request, dataset, trained
    if request.search is None:
        request, trained = train_best(
            dataset, request, observer, inputs.work, base, inputs.job_files
        )
        return request, dataset, trained
    from trainer.pipeline.search.search import search  # noqa: PLC0415 - imports Optuna

    request = request.of_preset((base and base.preset) or request.settled_preset)
    return search(request, dataset, load, base, observer, context, train_trials)


def _result(
    request: JobRequest,
    trained: Trained,
    evaluation: Evaluation,
    published: Manifest,
    promoted: bool,
) -> RunResult:
    return RunResult(
        model=published.model,
        version=published.version,
        promoted=promoted,
        metrics=evaluation.metrics,
        calibration=evaluation.calibration,
        comparison=published.comparison,
        seconds_to=trained.seconds_to,
        parameters=published.parameters,
        preset=request.preset,
    )


def _load(load: Load, request: JobRequest, observer: Observer) -> Dataset:
    """Load the dataset and report its summary."""
    dataset = load(request)
    observer.summary(dataset.summary)
    if request.corrections:
        added = dataset.summary["corrections"]
        message = f"{added} corrections of model {request.model} were added to the training part."
        observer.event("corrections", message, {"added": added})
    return dataset
