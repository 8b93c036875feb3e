"""Tells whether a model has learned: whether it beats answers that know nothing of the images."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from shared.recognition.scoring import edit_distance
from shared.store.manifest import Learned
from trainer.pipeline.evaluation.predictions import LabelledPrediction

FEWEST = 5
"""Fewer images can't tell: all of four come out better by chance once in sixteen times."""
MOST = 300
"""Images that are compared; more would tell nothing new."""
CONSTANTS = 40
"""Texts that are tried as the one answer for every image."""
SHUFFLES = 10
RESAMPLES = 2000
CONFIDENCE = 0.95

Edits = NDArray[np.float64]
"""Edits between the truth and an answer, by image."""


def measure_learned(predictions: Sequence[LabelledPrediction], seed: int) -> Learned | None:
    """Compare predictions of images that were not trained on with two answers that are blind.

    One text for every image, the one that needs the fewest edits; and the model's own texts, each
    for another image. A paired bootstrap over the images (Koehn 2004) tells whether the model needs
    fewer edits than both. None if there are too few images to tell.
    """
    chance = np.random.default_rng(seed)
    chosen = chance.permutation(len(predictions))[:MOST]
    truths = [predictions[index].truth for index in chosen]
    texts = [predictions[index].text for index in chosen]
    if len(truths) < FEWEST:
        return None
    own = _edits(truths, texts)
    constant, of_constant = _best_constant(truths)
    of_shuffled = _shuffled(truths, texts, chance)
    resamples = chance.integers(0, len(truths), (RESAMPLES, len(truths)))
    characters = max(1, sum(map(len, truths)))
    return Learned(
        images=len(truths),
        cer=own.sum() / characters,
        constant=constant,
        constant_cer=of_constant.sum() / characters,
        shuffled_cer=of_shuffled.sum() / characters,
        proven=all(_fewer(own - other, resamples) for other in (of_constant, of_shuffled)),
    )


def _edits(truths: Sequence[str], texts: Sequence[str]) -> Edits:
    pairs = zip(truths, texts, strict=True)
    return np.array([edit_distance(truth, text) for truth, text in pairs], float)


def _best_constant(truths: Sequence[str]) -> tuple[str, Edits]:
    """Return the label that is nearest to all, and its edits.

    Chosen on the very images that it is measured on, which favours it.
    """
    candidates = islice(dict.fromkeys(truths), CONSTANTS)
    tried = [(text, _edits(truths, [text] * len(truths))) for text in candidates]
    return min(tried, key=lambda each: float(each[1].sum()))


def _shuffled(truths: Sequence[str], texts: Sequence[str], chance: np.random.Generator) -> Edits:
    """Return the mean edits if the answers are handed on by random numbers of images."""
    shifts = chance.integers(1, len(truths), SHUFFLES)
    moved = ([*texts[shift:], *texts[:shift]] for shift in shifts)
    return np.asarray(np.mean([_edits(truths, each) for each in moved], axis=0))


def _fewer(differences: Edits, resamples: NDArray[np.int_]) -> bool:
    """Tell whether the sum of the differences is below zero in CONFIDENCE of the resamples."""
    return bool((differences[resamples].sum(axis=1) < 0).mean() >= CONFIDENCE)
