"""Tells a run that learns nothing from one that is slow, and says what may be wrong."""

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
"""So long may a model give nothing but blanks: at first, every CTC model does (preset crnn for
about 800 steps on the captcha set)."""

DIVERGED = 2.0
DIVERGED_BY = 3.0
"""Three losses in a row this many times, and this many nats per image, above the lowest are no
noise; small losses double easily."""

MAX_CER = 0.5
"""A model that gets no whole text right is published only below this character error rate."""

IMAGES_PER_CHARACTER = 5
SMALL_TEXT = 12
"""Pixels of image height below which characters are hard to tell."""


def epochs(count: int) -> str:
    """Return so many epochs in words."""
    return "1 epoch" if count == 1 else f"{count} epochs"


def diagnose(state: State, steps_per_epoch: int) -> str | None:
    """Return what shows that a run will not learn any more, None while it may."""
    losses = [progress.loss for progress in state.history]
    if not math.isfinite(losses[-1]):
        return f"The loss is {losses[-1]} after epoch {state.epoch}."
    if len(losses) > 3 and min(losses[-3:]) > DIVERGED * min(losses) + DIVERGED_BY:
        return f"The loss went up from {min(losses):.2f} to {losses[-1]:.2f}."
    enough = max(PLATEAU_EPOCHS, math.ceil(PLATEAU_STEPS / steps_per_epoch))
    if state.best is not None and state.best.all_empty and state.epoch >= enough:
        return (
            f"After {epochs(state.epoch)} the model still gives an empty text for every image "
            f"(loss {losses[-1]:.2f})."
        )
    return None


def no_better_than_chance(best: Validation, labels: Iterable[str]) -> bool:
    """Tell whether a trained model is of no use to anyone.

    labels: of the training part. Whoever always gave the commonest of them would be right as
    often as it is common, without a look at an image.
    """
    counts = Counter(labels)
    by_chance = max(counts.values()) / counts.total()
    return best.exact_match <= by_chance and best.cer >= MAX_CER


def did_not_learn(dataset: Dataset, state: State, *, out_of_time: bool = False) -> ReadsmithError:
    """Return the error of a run that learned nothing: the figures, and what they point to."""
    best = state.best
    tries = f"{state.restarts + 1} tries" if state.restarts else "1 try"
    tries += f", {epochs(state.epoch)} until the time was over" if out_of_time else ""
    figures = (
        f"{len(dataset.train)} training images, {len(dataset.vocabulary.characters)} characters, "
        f"{tries}"
    )
    if best is not None:
        what = "an empty text for every image" if best.all_empty else "hardly a text right"
        figures = (
            f"it gives {what} on the validation part (character error rate {best.cer:.0%}, "
            f"loss {best.loss:.2f}; {figures})"
        )
    return NotLearnedError(
        "did_not_learn", f"The model did not learn to read: {figures}.", _advice(dataset)
    )


def _advice(dataset: Dataset) -> str:
    seen = Counter(chain.from_iterable(dataset.train.labels))
    rare = [c for c in dataset.vocabulary.characters if seen[c] < IMAGES_PER_CHARACTER]
    if len(rare) > len(dataset.vocabulary.characters) / 2:
        return (
            f"Too few images for so many characters: {len(rare)} of them are seen fewer than "
            f"{IMAGES_PER_CHARACTER} times. Label more images."
        )
    if dataset.median_height < SMALL_TEXT:
        return (
            f"The text may be too small: the images are {dataset.median_height:.0f} pixels high. "
            "Use larger images."
        )
    return (
        "The labels may not match the images: `readsmith check` shows a few. "
        "If they do, train longer."
    )
