"""What the trainer answers about models and their versions."""

from datetime import datetime

from pydantic import Field

from shared.api.answer import Answer
from shared.recognition.image_spec import ImageSpec
from shared.store.manifest import (
    AllowedFigures,
    Calibration,
    Comparison,
    FileEntry,
    ImageSizes,
    Metrics,
    Scalar,
)


class VersionView(Answer):
    """One published version; if its manifest cannot be read, `problem` alone says why."""

    version: int
    created_at: datetime | None = None
    job_id: str | None = None
    preset: str | None = None
    dataset: str | None = None
    metrics: Metrics | None = None
    comparison: Comparison | None = None
    """With the version that was served before it."""
    allowed: AllowedFigures | None = None
    """What the job's list of allowed texts brings, if it had one."""
    proposed_pattern: str | None = None
    """What all its labels fit."""
    problem: str | None = None


class DeletedVersion(Answer):
    """A version that was deleted and can be restored."""

    version: int
    deleted_at: datetime
    kept_until: datetime


class ModelView(Answer):
    """A model, its retained versions oldest first, and the one that is served."""

    name: str
    default: bool = False
    """Whether it was chosen to answer requests that name no model."""
    current: int | None
    previous: int | None
    """What was current before: where rollback goes back to."""
    pattern: str | None
    """What predictions must fit unless a request says otherwise."""
    allowed_texts: int | None = None
    """How many texts its list holds, if predictions must be one of a list."""
    check_digit: str | None = None
    """The rule that predictions must fit."""
    allowed_threshold: float | None = None
    """The confidence below which an image is taken to show none of them; null: the default."""
    versions: list[VersionView]
    deleted: list[DeletedVersion] = Field(default_factory=list)
    problem: str | None = None
    """Why the served version or the pattern is not known."""


class AllowedList(Answer):
    """All the texts that a model's predictions may be; null if they may be any."""

    texts: tuple[str, ...] | None
    check_digit: str | None
    threshold: float | None
    """The confidence below which an image is taken to show none of them; null: the default."""


class ModelPage(Answer):
    """Models that have a version, by name."""

    data: list[ModelView]
    has_more: bool
    default: str | None = None
    """The model that was chosen to answer requests that name none, whether it is there or not."""


class VersionDetails(VersionView):
    """A version with everything that its manifest says."""

    base: str | None
    vocabulary: str
    unseen_characters: str
    """Those of the vocabulary that no label held."""
    image: ImageSpec
    time_steps: int
    label_lengths: dict[str, int]
    image_sizes: ImageSizes | None
    calibration: Calibration | None
    seed: int
    parameters: dict[str, Scalar]
    libraries: dict[str, str]
    files: dict[str, FileEntry]


class VersionPrediction(Answer):
    """What one version reads in an image."""

    text: str
    confidence: float
    correct: bool
    seen: bool
    """Whether the version was trained on this image."""


class ComparedImage(Answer):
    """An image that one of the versions was tested on, and what both read in it."""

    image: str
    """Its address on this service."""
    truth: str
    a: VersionPrediction
    b: VersionPrediction


class VersionComparison(Answer):
    """Two versions on the images that either was tested on; those that they differ on first."""

    model: str
    a: int
    b: int
    both_correct: int
    only_a_correct: int
    only_b_correct: int
    neither_correct: int
    images: list[ComparedImage]
