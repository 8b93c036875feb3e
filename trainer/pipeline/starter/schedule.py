"""The learning rate of a starter's training: warm-up, stable, linear decay."""

from dataclasses import dataclass

WARM_UP_STEPS = 300
DECAY_SHARE = 0.2


@dataclass(frozen=True)
class Length:
    """When a training ends: after so many steps or minutes, whichever comes first."""

    steps: int | None
    minutes: float | None

    def share(self, steps: int, seconds: float) -> float:
        """Return how much of the training is over, 1 at its end."""
        shares = [0.0]
        if self.steps is not None:
            shares.append(steps / self.steps)
        if self.minutes is not None:
            shares.append(seconds / 60 / self.minutes)
        return max(shares)

    def factor(self, steps: int, seconds: float) -> float:
        """Return the factor of the learning rate of the next step."""
        warm = min(1.0, (steps + 1) / WARM_UP_STEPS)
        left = 1 - self.share(steps, seconds)
        return warm * min(1.0, max(0.0, left / DECAY_SHARE))
