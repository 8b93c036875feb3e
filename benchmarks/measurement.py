"""One training run to measure, and what was found."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from trainer.schemas.job_request import Hyperparameters, JobRequest

Side = Literal["reference", "fresh", "ours"]
"""The seed recipe; ours without the starter's weights; ours."""

SEED_RECIPE = Hyperparameters(epochs=100, patience=10, batch_size=16, learning_rate=0.001)
"""Of the well-known Keras captcha tutorial, which the reference follows."""


class Measurement(BaseModel):
    """What to train on, and whose way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    side: Side
    set: str
    """The set's name in the table."""
    dataset: Path
    seed: int
    epochs: int | None = None
    max_minutes: float | None = None
    limit_images: int | None = None

    def request(self) -> JobRequest:
        """Return what a user would ask for: nothing but the limits, or the seed recipe."""
        limits = self.model_dump(include={"epochs", "max_minutes", "limit_images"})
        given = {name: value for name, value in limits.items() if value is not None}
        if self.side != "reference":
            base: Literal["starter", "none"] = "starter" if self.side == "ours" else "none"
            settings = Hyperparameters(**given)
            return JobRequest(seed=self.seed, base=base, hyperparameters=settings)
        recipe = SEED_RECIPE.model_copy(update=given)
        return JobRequest(preset="crnn", seed=self.seed, hyperparameters=recipe)


class Run(BaseModel):
    """What a measurement found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measurement: Measurement
    train_images: int
    validation_images: int
    test_images: int
    epochs: int
    check_seconds: float
    """Prediction, checking and splitting the set."""
    fit_seconds: float
    """The whole training stage, building the model and decoding the images included."""
    train_seconds: float
    """Since training began, until its last epoch ended."""
    seconds_to_99: float | None
    """Since training began, until 99 % of the validation part were right; None: never."""
    validation_exact_match: float
    """The best of all epochs."""
    exact: int
    """Images of the test part whose whole text was right; 0 for a run that did not learn."""
    peak_bytes: int
    """Most memory that the process ever held."""
    events: list[str]
    """What the run told: choices, restarts."""
    failure: str | None
    """Why there is no model."""

    @property
    def exact_match(self) -> float:
        """Share of the test part that was read right."""
        return self.exact / self.test_images

    @property
    def seconds_per_image(self) -> float:
        """Seconds of the whole run, checking and reading included, per image trained on."""
        return (self.check_seconds + self.fit_seconds) / (self.train_images * max(1, self.epochs))


def allowed_wrong(validation_images: int) -> int:
    """Return how many validation images may be wrong at "99 %": 1 %, but one of 50 or more.

    A validation part of 93 images may hold one that nobody can read.
    """
    return max(validation_images // 100, 1 if validation_images >= 50 else 0)
