"""From photographs to lines: trains a detector, and cuts the set's lines as it finds them.

Importing this imports TensorFlow.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import FailedError, NotLearnedError
from shared.recognition.lines.detection import to_input
from shared.recognition.lines.spec import DetectorSpec
from shared.store.manifest import DETECTOR_KERAS, DETECTOR_ONNX, GOOD_OVERLAP, ImageSizes
from trainer.pipeline.datasets.dataset import Dataset, LineDetector
from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.sources.marked.photographs import Photographs
from trainer.pipeline.datasets.sources.threads import map_in_threads
from trainer.pipeline.detection.learn import learn
from trainer.pipeline.detection.recut import Located, Recut
from trainer.pipeline.detection.views import Photograph
from trainer.pipeline.networks.detector import SPEC
from trainer.pipeline.networks.inference import OnnxGraph
from trainer.pipeline.networks.keras_files import write_models
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import Observer, in_words

MOST_PHOTOGRAPHS = 800
"""That the detector learns from; reduced, each takes a megabyte of memory."""
SECONDS = 1800.0
"""Longest time that it learns; on two cores it takes a few minutes."""
SHARE = 0.4
"""Of max_minutes, where they are given."""
LEAST_FOUND = 0.5
"""Share of the validation part's lines; with a detector that finds fewer, nothing can be read."""
SAME_ANSWER = 1e-3


def detect_lines(dataset: Dataset, request: JobRequest, observer: Observer, work: Path) -> Dataset:
    """Return a dataset of photographs as one of the lines that a new detector finds in them.

    The lines of the training part are cut where they are marked, give or take the errors that the
    detector makes on the validation part. Any other dataset is returned as it is.
    Raises ReadsmithError (did_not_learn, predictions_differ), CancelledRunError.
    """
    photographs = dataset.photographs
    if photographs is None:
        return dataset
    folder = work / "detector"
    folder.mkdir(exist_ok=True)
    _train(photographs, dataset.train, request, observer, folder)
    run = OnnxGraph(folder / DETECTOR_ONNX).predict_on_batch
    recut = Recut(photographs, SPEC, run, folder / "lines")
    validation, test = recut.as_found(dataset.validation), recut.as_found(dataset.test)
    train = recut.as_if_found(dataset.train, validation, request.seed)
    detector = LineDetector(
        folder=folder,
        spec=SPEC,
        lines=dataset.source,
        missed=_in(dataset.test, test, found=False),
        overlaps=tuple(each.overlap for each in test if each.truth),
    )
    _require_found(validation, len(detector.missed) < len(dataset.test), observer)
    return replace(
        dataset,
        source=recut.source(),
        train=_in(dataset.train, train, found=True),
        validation=_in(dataset.validation, validation, found=True),
        test=_in(dataset.test, test, found=True),
        sizes=ImageSizes.of({each.size for each in (*train, *validation, *test)}),
        detector=detector,
    )


def _train(
    photographs: Photographs,
    images: ImageTable,
    request: JobRequest,
    observer: Observer,
    folder: Path,
) -> None:
    """Train a detector and write its files."""
    started = time.monotonic()
    images = known_places(images, photographs)
    order = np.random.default_rng(request.seed).permutation(len(images))[:MOST_PHOTOGRAPHS]
    names = list(images.take(np.sort(order)).names)
    examples = list(map_in_threads(lambda name: Photograph.of(*photographs.open(name)), names))
    observer.event("detector", f"A detector learns from {len(examples)} photographs.")
    minutes = request.hyperparameters.max_minutes
    seconds = SECONDS if minutes == "auto" else min(SECONDS, SHARE * minutes * 60)
    model = learn(examples, SPEC, request.seed, observer, seconds)
    write_models(model, folder, DETECTOR_KERAS, DETECTOR_ONNX)
    _require_same(model, folder, examples, SPEC)
    took = in_words(time.monotonic() - started)
    observer.event("detector", f"The detector has learned in {took}.")


def known_places(images: ImageTable, photographs: Photographs) -> ImageTable:
    """Return the images of which it is known where the line is, or that they show none.

    Of a correction, it is known only what its line says.
    """
    return images.where(lambda image: image.name in photographs.boxes or image.label == "")


def _require_same(
    model: Any, folder: Path, examples: Sequence[Photograph], spec: DetectorSpec
) -> None:
    """Raise ReadsmithError (predictions_differ) if the files answer unlike the model."""
    images = [example.whole.image.resize((spec.side, spec.side)) for example in examples[:4]]
    views = to_input(np.stack([np.asarray(image) for image in images]))
    apart = np.abs(
        model.predict_on_batch(views) - OnnxGraph(folder / DETECTOR_ONNX).predict_on_batch(views)
    ).max()
    if not apart <= SAME_ANSWER:
        raise FailedError(
            "predictions_differ",
            f"{DETECTOR_ONNX} differs from the detector by {apart:.4f}. Nothing was published.",
            "Start the job again; if it fails again, report it as a bug.",
        )


def _in(images: ImageTable, located: Sequence[Located], *, found: bool) -> ImageTable:
    """Return the images in which a line was found, or those in which none was."""
    return images.take([i for i, each in enumerate(located) if (each.found is not None) == found])


def _require_found(validation: Sequence[Located], any_of_test: bool, observer: Observer) -> None:
    """Tell how many lines are found; raises ReadsmithError (did_not_learn) for too few."""
    marked = [each for each in validation if each.truth]
    good = sum(each.overlap >= GOOD_OVERLAP for each in marked)
    observer.event(
        "detector",
        f"Of {len(marked)} lines of the validation part it finds {good}, with an overlap of at "
        f"least {GOOD_OVERLAP:.0%}.",
        {"lines": len(marked), "found": good},
    )
    if good < LEAST_FOUND * len(marked) or not any_of_test:
        raise NotLearnedError(
            "did_not_learn",
            f"The detector finds {good} of the {len(marked)} lines of the validation part.",
            "See that the corners are those of the texts, and mark more photographs. With detector "
            "off, the model learns to read lines that are cut out already.",
        )
