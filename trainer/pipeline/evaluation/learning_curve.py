"""How much more labels would help: the same training on parts of the labels, unpublished.

Importing this imports TensorFlow.
"""

import logging
from pathlib import Path

from shared.api.jobs import Stage
from shared.errors import NotLearnedError
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.evaluation.evaluate import evaluate
from trainer.pipeline.evaluation.power_law import Point
from trainer.pipeline.training.train import train
from trainer.schemas.job_request import JobRequest
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits
from trainer.schemas.progress import Observer

SHARES = (0.25, 0.5, 1.0)
"""Shares of the training and validation images; each part contains the one before."""


def learning_curve(
    source: Path,
    request: JobRequest,
    observer: Observer,
    work: Path,
    limits: DatasetLimits = DEFAULT_LIMITS,
) -> list[Point]:
    """Train on parts of the labels and measure each model on the same test part.

    A run that does not learn counts as 0 correct. Raises ReadsmithError for an unusable dataset,
    CancelledRunError if the run is cancelled.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every further model
    # All models are measured on the same images, which none of them has learned from.
    request = request.model_copy(update={"evaluation": "test_part"})
    observer.stage(Stage.DATASET)
    dataset = load_dataset(source, request, limits=limits)
    observer.summary(dataset.summary)
    labels = len(dataset.train) + len(dataset.validation)
    counts = [max(2, round(share * labels)) for share in SHARES]
    points = []
    for count in counts:
        limited = _limited(request, count)
        part = load_dataset(source, limited, limits=limits)
        points.append(_point(part, limited, observer, work / str(count)))
    return points


def _point(dataset: Dataset, request: JobRequest, observer: Observer, work: Path) -> Point:
    """Train with the request's labels and count the correct predictions."""
    labels = len(dataset.train) + len(dataset.validation)
    observer.event("learning_curve", f"Training with {labels} labels.", {"labels": labels})
    observer.stage(Stage.TRAIN)
    work.mkdir(parents=True)
    try:
        trained = train(dataset, request, observer, work)
    except NotLearnedError as error:
        observer.event("did_not_learn", error.message)
        return Point(labels, 0, len(dataset.test))
    observer.stage(Stage.EVALUATE)
    predictions = evaluate(trained, dataset, observer).predictions
    exact = sum(prediction.correct for prediction in predictions)
    return Point(labels, exact, len(predictions))


def _limited(request: JobRequest, images: int) -> JobRequest:
    hyperparameters = request.hyperparameters.model_copy(update={"limit_images": images})
    return request.model_copy(update={"hyperparameters": hyperparameters})
