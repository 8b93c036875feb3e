"""Distinguishes a run that learns nothing from a slow one, and suggests the cause."""

import math
from collections import Counter
from collections.abc import Iterable
from itertools import chain

from shared.errors import NotLearnedError, ReadsmithError
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.training.checkpoint import State
from trainer.pipeline.training.results import Validation

PLATEAU_STEPS = 1500
PLATEAU_EPOCHS = 3
"""How long a model may output nothing but blanks: every CTC model does at first (preset crnn for
about 800 steps on the captcha set)."""

DIVERGED = 2.0
DIVERGED_BY = 3.0
"""Three losses in a row above DIVERGED times the lowest plus DIVERGED_BY nats per image are not
noise. The factor alone would not do: small losses double easily."""

MAX_CER = 0.5
"""A model that is no better than chance is published only below this character error rate."""

IMAGES_PER_CHARACTER = 5
SMALL_TEXT = 12
"""Pixels of image height below which characters are hard to tell."""


def epochs(count: int) -> str:
    """Return a number of epochs in words."""
    return "1 epoch" if count == 1 else f"{count} epochs"


def diagnose(state: State, steps_per_epoch: int) -> str | None:
    """Return the evidence that a run will not learn any more; None while it still may."""
    losses = [progress.loss for progress in state.history]
    if not math.isfinite(losses[-1]):
        return f"The loss is {losses[-1]} after epoch {state.epoch}."
    if len(losses) > 3 and min(losses[-3:]) > DIVERGED * min(losses) + DIVERGED_BY:
        return f"The loss went up from {min(losses):.2f} to {losses[-1]:.2f}."
    enough = max(PLATEAU_EPOCHS, math.ceil(PLATEAU_STEPS / steps_per_epoch))
    if state.best is not None and state.best.all_empty and state.epoch >= enough:
        return (
            f"After {epochs(state.epoch)} the model still predicts an empty text for every image "
            f"(loss {losses[-1]:.2f})."
        )
    return None


def no_better_than_chance(best: Validation, labels: Iterable[str]) -> bool:
    """Return whether a trained model is useless.

    labels: of the training part. Always predicting the most common of them is correct as often as
    it occurs, whatever the image.
    """
    # Where half of the images have the same label, a dead model gets half of them correct.
    counts = Counter(labels)
    by_chance = max(counts.values()) / counts.total()
    # An empty text for every image is correct where there is nothing to read, by chance too.
    return best.all_empty or (best.exact_match <= by_chance and best.cer >= MAX_CER)


def did_not_learn(
    dataset: Dataset, best: Validation | None, starts: int, until_limit: int | None = None
) -> ReadsmithError:
    """Return the error of a run that learned nothing, with its metrics and a probable cause.

    until_limit: the epochs until the time limit, if that has ended it.
    """
    began = f"{starts} starts" if starts > 1 else "1 start"
    began += f", {epochs(until_limit)} until the time limit" if until_limit is not None else ""
    figures = (
        f"{len(dataset.train)} training images, {len(dataset.vocabulary.characters)} characters, "
        f"{began}"
    )
    if best is not None:
        what = "an empty text for every image" if best.all_empty else "hardly any text correctly"
        figures = (
            f"it predicts {what} on the validation part (character error rate {best.cer:.0%}, "
            f"loss {best.loss:.2f}; {figures})"
        )
    return NotLearnedError(
        "did_not_learn", f"The model did not learn: {figures}.", _advice(dataset)
    )


def _advice(dataset: Dataset) -> str:
    seen = Counter(chain.from_iterable(dataset.train.labels))
    rare = [c for c in dataset.vocabulary.characters if seen[c] < IMAGES_PER_CHARACTER]
    if len(rare) > len(dataset.vocabulary.characters) / 2:
        return (
            f"Too few images for the characters: {len(rare)} of them occur fewer than "
            f"{IMAGES_PER_CHARACTER} times. Label more images."
        )
    if dataset.median_height < SMALL_TEXT:
        return (
            f"The text may be too small: the images are {dataset.median_height:.0f} pixels high. "
            "Use larger images."
        )
    return (
        "The labels may not match the images: `readsmith datasets check` shows a few. "
        "If they do, train longer."
    )
