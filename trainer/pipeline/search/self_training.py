"""Texts that networks read on images without one, for the next networks to learn from.

(Pseudo-labels: Lee 2013; from students that begin anew and see varied images: Xie et al. 2020,
"Self-training with noisy student improves ImageNet classification".)
Importing this imports TensorFlow.
"""

from typing import Any

from shared.recognition.decoding import decode
from trainer.pipeline.datasets.dataset import Dataset, Rehearsal
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.evaluation.calibration import fit_temperature
from trainer.pipeline.networks.inference import joined, load_pixels, outputs
from trainer.pipeline.training.results import Trained, Validation
from trainer.schemas.progress import Observer

CONFIDENT = 0.7
"""Texts below this confidence are not learned from; it is calibrated on the folds."""


def self_labelled(dataset: Dataset, trained: Trained, observer: Observer) -> list[Rehearsal]:
    """Return what each network of a committee reads with confidence on the unlabelled images.

    Each for itself: a text of the others would tell of its own fold, on which its successor is to
    be measured.
    """
    model = trained.model
    published = model.get_weights()
    temperature = _temperature(dataset, trained, observer)
    taken = []
    for weights in trained.committee:
        model.set_weights(weights)
        taken.append(_confident(dataset, model, temperature, observer))
    model.set_weights(published)
    return taken


def _temperature(dataset: Dataset, trained: Trained, observer: Observer) -> float:
    parts, truths = [], []
    for fold, weights in zip(dataset.folds, trained.committee, strict=True):
        trained.model.set_weights(weights)
        found = outputs(trained.model, dataset.source, fold, dataset.image, observer)
        for images, output in found:
            parts.append(output)
            truths += [image.label for image in images]
    return fit_temperature(joined(parts), truths, dataset.vocabulary)


def _confident(dataset: Dataset, model: Any, temperature: float, observer: Observer) -> Rehearsal:
    images: list[LabelledImage] = []
    texts: list[str] = []
    found = outputs(model, dataset.source, dataset.unlabelled, dataset.image, observer)
    for some, output in found:
        read = decode(output, dataset.vocabulary, temperature)
        for image, one in zip(some, read, strict=True):
            if one.text and one.confidence >= CONFIDENT:
                images.append(image)
                texts.append(one.text)
    return Rehearsal(tuple(load_pixels(dataset.source, images, dataset.image)), tuple(texts))


def is_worse(after: Validation, before: Validation) -> bool:
    """Return whether more images have more errors than before than fewer, beyond chance.

    By one standard deviation of the sign test.
    """
    changes = [new - old for new, old in zip(after.edits, before.edits, strict=True)]
    worse = sum(change > 0 for change in changes)
    better = sum(change < 0 for change in changes)
    return worse > better and (worse - better) ** 2 > worse + better
