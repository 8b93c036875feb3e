"""When the learning rate falls, and when training is over: warm-up, stable, decay.

A constant rate with a short decay ends where a cosine of the same length does, and can be ended at
any step (Hägele et al. 2024, "Scaling laws and compute-optimal training beyond fixed training
durations", sections 3 and 4). So training need not know its length before it starts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shared.api.jobs import Progress

WARM_UP_STEPS = 100
WARM_UP_SHARE = 0.1
"""Of a training whose epochs are given: so few steps must not all be warm-up."""
DECAY_SHARE = 0.25
"""Steps of the decay, as a share of the steps before it."""
MIN_DECAY_STEPS = 250
"""A shorter decay does not take the noise of the last steps out of the weights of a small set."""
FINISH_SHARE, MIN_FINISH_STEPS = 0.1, 20
"""The same for a run that is asked to finish, which should take little longer."""
MIN_STEPS = 400
"""Before these, nothing is concluded: the rate has warmed up for a quarter of them."""
GAIN = 0.03
"""Relative improvement within the last third of the steps that is worth training on for."""
LEARNED_LOSS = 0.02
"""In nats per image: from here on, only chance makes the loss half or twice as large."""
FOLD_STEPS, FOLD_STEPS_PER_IMAGE, MOST_FOLD_STEPS = 250, 4, 600
"""Of a network that learns without one fold of a small set: the fewer images, the sooner it knows
them by heart; docs/decisions/0029-cross-validation.md."""
STEPS_PER_CHARACTER = 40
"""Steps that a training is expected to take, before anything is known about it, for each character
of the vocabulary: sets at hand took 33 to 65, however many images they have."""
EXPECTED_GROWTH = 1.5
"""Later: how many steps in all for each so far."""


@dataclass(frozen=True)
class Decay:
    """The steps in which the learning rate falls to 0; training ends before step `end`."""

    start: float
    end: int

    def factor(self, step: int) -> float:
        """Return the factor of the learning rate: 1 before the decay, then 1 - sqrt."""
        if step < self.start:
            return 1.0
        return 1 - math.sqrt((step - self.start) / max(1, self.end - self.start))


def planned(steps: int, *, decays: bool) -> Decay:
    """Return the decay of a training of so many steps in all."""
    share = DECAY_SHARE / (1 + DECAY_SHARE) if decays else 0
    return Decay(steps - round(share * steps), steps)


def decay_from(step: int) -> Decay:
    """Return the decay of a training that has learned."""
    return Decay(step, step + max(MIN_DECAY_STEPS, round(DECAY_SHARE * step)))


def hurried(decay: Decay | None, step: int, steps: int) -> Decay:
    """Return the decay that ends so many steps from here at the latest.

    One that has begun goes on from its present rate.
    """
    if decay is None:
        return Decay(step, step + steps)
    if decay.end - step <= steps:
        return decay
    done = max(0, step - decay.start) / max(1, decay.end - decay.start)
    return Decay(step - done / (1 - done) * steps, step + steps)


def expected_end(decay: Decay | None, step: int, characters: int) -> int:
    """Return the step at which training is expected to end; characters: of the vocabulary."""
    if decay is not None:
        return decay.end
    shortest = MIN_STEPS + MIN_DECAY_STEPS
    return max(shortest, STEPS_PER_CHARACTER * characters, round(EXPECTED_GROWTH * step))


def fold_steps(images: int) -> int:
    """Return the steps of a network that learns without one fold; images: of the others."""
    return min(MOST_FOLD_STEPS, FOLD_STEPS + FOLD_STEPS_PER_IMAGE * images)


def finish_steps(step: int) -> int:
    """Return how many steps a run still takes that is asked to finish."""
    return max(MIN_FINISH_STEPS, round(FINISH_SHARE * step))


def improves(history: Sequence[Progress]) -> bool:
    """Return whether the last third of the epochs has brought a better loss or CER.

    The best of many validations against the best before: single ones go up and down, those of a
    few images all the more.
    """
    cut = history[-1].epoch * 2 / 3
    earlier = [each for each in history if each.epoch <= cut]
    recent = [each for each in history if each.epoch > cut]
    return any(
        min(map(value, recent)) < (1 - GAIN) * min(map(value, earlier), default=math.inf)
        for value in (_loss, _cer)
    )


def _loss(progress: Progress) -> float:
    return max(progress.validation_loss, LEARNED_LOSS)


def _cer(progress: Progress) -> float:
    return 1.0 if progress.cer is None else progress.cer
