"""One training run to measure, and its result."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from trainer.schemas.job_request import Hyperparameters, JobRequest

Side = Literal["reference", "fresh", "earlier", "ours"]
"""The seed recipe; ours without the starter's weights; ours of another checkout; ours."""

SEED_RECIPE = Hyperparameters(epochs=100, patience=10, batch_size=16, learning_rate=0.001)
"""Of the Keras captcha tutorial, which the reference follows."""


class Measurement(BaseModel):
    """What to train on, and by which recipe."""

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
        """Return a user's request with nothing but the limits, or the seed recipe."""
        limits = self.model_dump(include={"epochs", "max_minutes", "limit_images"})
        given = {name: value for name, value in limits.items() if value is not None}
        if self.side != "reference":
            base: Literal["starter", "none"] = "none" if self.side == "fresh" else "starter"
            settings = Hyperparameters(**given)
            return JobRequest(seed=self.seed, base=base, hyperparameters=settings)
        recipe = SEED_RECIPE.model_copy(update=given)
        return JobRequest(preset="crnn", seed=self.seed, hyperparameters=recipe)


class Run(BaseModel):
    """The result of a measurement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measurement: Measurement
    train_images: int
    validation_images: int
    test_images: int
    epochs: int
    check_seconds: float
    """Reading, checking and splitting the set."""
    fit_seconds: float
    """The whole training stage, building the model and decoding the images included."""
    train_seconds: float
    """Since training began, until its last epoch ended."""
    seconds_to_99: float | None
    """Since training began, until 99 % of the validation part were correct; None: never."""
    validation_exact_match: float
    """The best of all epochs."""
    exact: int
    """Images of the test part whose whole text was correct; 0 for a run that did not learn."""
    peak_bytes: int
    """Peak memory of the process."""
    events: list[str]
    """The run's events: choices, restarts."""
    failure: str | None
    """Why there is no model."""

    @property
    def exact_match(self) -> float:
        """Share of the test part that was predicted correctly."""
        return self.exact / self.test_images

    @property
    def total_seconds(self) -> float:
        """Seconds from reading the set to the trained model."""
        return self.check_seconds + self.fit_seconds

    @property
    def seconds_per_image(self) -> float:
        """Seconds of the whole run, with reading and checking, per image trained on."""
        return self.total_seconds / (self.train_images * max(1, self.epochs))


def allowed_wrong(validation_images: int) -> int:
    """Return how many validation images may be wrong at "99 %": 1 %, but one of 50 or more.

    A validation part of 93 images may hold one that is illegible.
    """
    return max(validation_images // 100, 1 if validation_images >= 50 else 0)
