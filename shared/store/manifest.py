"""The contract file of a bundle: what one version is, and the hash of every file in it."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.atomic_files import read_small
from shared.errors import BundleError, BundlePart
from shared.recognition.image_spec import ImageSpec
from shared.recognition.lines.spec import DetectorSpec
from shared.recognition.scoring import wilson_interval
from shared.recognition.vocabulary import Vocabulary
from shared.texts import plain_fault

FORMAT: Final = 2
MANIFEST = "manifest.json"
KERAS_MODEL = "prediction_model.h5"
ONNX_MODEL = "prediction_model.onnx"
DETECTOR_KERAS = "detector.h5"
DETECTOR_ONNX = "detector.onnx"
DETECTOR: Final = "detector"
"""In ``requires`` of a version that finds the line itself: without it, it would read whole
photographs as lines."""
KNOWN = {DETECTOR}
GOOD_OVERLAP: Final = 0.7
"""Intersection over union from which on a line counts as found."""
GOLDEN_PREDICTIONS = "golden/predictions.json"
GOLDEN_OF_FORMAT_1 = "golden/readings.json"
SEEN_IMAGES = "seen_images.txt"
REHEARSAL = "rehearsal.npz"
REPORT = "report"
SIZE_TOLERANCE: Final = 0.1
MOST_BYTES: Final = 10_000_000
"""A manifest, or another JSON file of a bundle, is not larger."""

MODEL_NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
MAX_MODEL_NAME = 64
ModelName = Annotated[str, Field(pattern=MODEL_NAME_PATTERN)]
Scalar = int | float | str | bool | None


class Frozen(BaseModel):
    """What is read from a file and never changed; a field that is not known is an error."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", protected_namespaces=())


class FileEntry(Frozen):
    """Size in bytes and SHA-256 of one file of the bundle."""

    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @classmethod
    def of(cls, path: Path) -> "FileEntry":
        """Measure a file."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(size=path.stat().st_size, sha256=digest)


class Metrics(Frozen):
    """What was measured, each with its counts; the test part was measured once."""

    train_images: int = Field(ge=0)
    validation_images: int = Field(ge=0)
    test_images: int = Field(ge=0)
    folds: int | None = Field(None, ge=2)
    """Where the training images are the test images, too: in so many folds, each predicted by a
    network that has not learned from it. None for a test part of its own."""
    exact_match: float = Field(ge=0, le=1)
    exact_match_interval: tuple[float, float] = Field(strict=False)
    """95 % Wilson interval of the exact match on the test part."""
    cer: float = Field(ge=0)
    mean_confidence: float = Field(ge=0, le=1)
    validation_exact_match: float = Field(ge=0, le=1)
    train_seconds: float = Field(ge=0)
    images_per_second: float = Field(ge=0)
    epochs: int = Field(ge=0)
    unlabelled_images: int = Field(0, ge=0)
    """Images without a text that were learned from as well, on average of the networks: with what
    the networks before them had read on them."""
    unreadable_images: int | None = Field(None, ge=0)
    """Test images on which there is nothing to read; None if the set has none."""
    unreadable_empty: int | None = Field(None, ge=0)
    """How many of those are answered with an empty text."""


class CalibrationError(Frozen):
    """Expected calibration error of the confidences of one part, before and after calibration.

    The gap between mean confidence and share of right predictions, averaged over the images, in
    ``Calibration.bins`` bins of equal width.
    """

    images: int = Field(ge=0)
    before: float = Field(ge=0, le=1)
    after: float = Field(ge=0, le=1)


class Threshold(Frozen):
    """What comes of accepting only predictions with at least this confidence.

    Measured on the validation and the test part together: both were never trained on, and
    thresholds need all the images there are.
    """

    threshold: float = Field(ge=0, le=1)
    images: int = Field(ge=0)
    """How many predictions are accepted."""
    accepted: float = Field(ge=0, le=1)
    """Share of all predictions."""
    wrong: float = Field(ge=0, le=1)
    """Share of the accepted predictions."""
    wrong_interval: tuple[float, float] = Field(strict=False)
    """95 % Wilson interval of ``wrong``: with few images, no wrong one proves little."""


class Calibration(Frozen):
    """What confidences mean: how they were calibrated on the validation part, and their worth."""

    temperature: float = Field(gt=0, allow_inf_nan=False)
    bins: int = Field(ge=1)
    validation: CalibrationError
    """On the part that chose the temperature."""
    test: CalibrationError
    """On the part that chose nothing."""
    thresholds: tuple[Threshold, ...] = Field(strict=False)
    """Ascending; the first accepts every prediction."""


class ImageSizes(Frozen):
    """Least and greatest width and height of the images that were trained on, in pixels."""

    widths: tuple[int, int] = Field(strict=False)
    heights: tuple[int, int] = Field(strict=False)

    @classmethod
    def of(cls, sizes: Collection[tuple[int, int]]) -> "ImageSizes":
        """Return the sizes' range; sizes: (width, height), at least one."""
        widths, heights = zip(*sizes, strict=True)
        return cls(widths=(min(widths), max(widths)), heights=(min(heights), max(heights)))

    def hold(self, size: tuple[int, int]) -> bool:
        """Tell whether an image of this width and height is like those, give or take 10 %."""
        ranges = zip(size, (self.widths, self.heights), strict=True)
        return all(
            least * (1 - SIZE_TOLERANCE) <= length <= most * (1 + SIZE_TOLERANCE)
            for length, (least, most) in ranges
        )


class Comparison(Frozen):
    """The new version and the one served before it, on the same images of the new test part.

    Without those that the served version is known to have been trained on.
    """

    version: int = Field(ge=1)
    """The served one."""
    images: int = Field(ge=1)
    exact_match: float = Field(ge=0, le=1)
    """Of the new version; intervals are 95 % Wilson intervals."""
    exact_match_interval: tuple[float, float] = Field(strict=False)
    served_exact_match: float = Field(ge=0, le=1)
    served_exact_match_interval: tuple[float, float] = Field(strict=False)
    gained: int = Field(ge=0)
    """Images that only the new version reads right."""
    lost: int = Field(ge=0)
    """Images that only the served version reads right."""

    @property
    def clearly_worse(self) -> bool:
        """True if, of the images that one alone reads right, the new one surely has fewer than
        half: the upper end of the Wilson interval of its share lies below 0.5.
        """
        _, most = wilson_interval(self.gained, self.gained + self.lost)
        return most < 0.5


class Learned(Frozen):
    """Whether the model needs fewer edits than answers that know nothing of the images."""

    images: int = Field(ge=1)
    """Of the test part; with the validation part where that is small."""
    cer: float = Field(ge=0)
    constant: str
    """The text that is nearest to all labels."""
    constant_cer: float = Field(ge=0)
    """If every image is answered with it."""
    shuffled_cer: float = Field(ge=0)
    """If the model's answers are exchanged among the images."""
    proven: bool
    """Whether the model has fewer edits than both, at 95 % confidence."""


class AllowedFigures(Frozen):
    """What the job's list of allowed texts brings at the threshold that is proposed for it.

    Measured on the validation and the test part together.
    """

    texts: int = Field(ge=1)
    """Of the list that the model can spell."""
    threshold: float = Field(ge=0, le=1)
    """The lowest of some, from 0.5 on, at which at most 5 % of the others are accepted."""
    images: int = Field(ge=0)
    others_accepted: float = Field(ge=0, le=1)
    """Share of the images that are read as another text, if their own is not on the list."""
    listed_images: int = Field(ge=0)
    """Those whose text is on the list; the next three are shares of them."""
    wrong_without_list: float = Field(ge=0, le=1)
    wrong: float = Field(ge=0, le=1)
    rejected: float = Field(ge=0, le=1)


class DetectionFigures(Frozen):
    """How well the detector finds the lines of the test part, and what that costs.

    ``Metrics`` tells what the two networks, one after the other, make of whole photographs.
    """

    images: int = Field(ge=0)
    lines: int = Field(ge=0)
    """That are marked in them."""
    found: float = Field(ge=0, le=1)
    """Share of the lines that it finds, with an intersection over union of at least 0.7."""
    found_interval: tuple[float, float] = Field(strict=False)
    """95 % Wilson interval."""
    overlap: float = Field(ge=0, le=1)
    """Mean intersection over union; 0 for lines that are not found."""
    nothing_found: int = Field(ge=0)
    """Images in which it finds nothing, and whose text is empty for it."""
    line_exact_match: float = Field(ge=0, le=1)
    """Of the same images if the lines are cut out where they are marked: what the recogniser
    could reach with a detector without errors."""


class Manifest(Frozen):
    """One version's contract.

    From format 2 on, fields that are not known are ignored, so that a later release can add what
    an earlier one can do without; what it cannot do without stands in ``requires``.
    """

    model_config = ConfigDict(extra="ignore")

    format: Literal[1, 2] = FORMAT
    requires: tuple[str, ...] = Field((), strict=False)
    """What a reader must know beside the format itself: detector, or nothing."""
    model: ModelName
    version: int = Field(ge=1)
    job_id: str
    attempt: int = Field(ge=1)
    created_at: datetime = Field(strict=False)
    origin: Literal["trained", "imported"]
    preset: str | None
    base: str | None
    """The version that the weights started from, as model/version."""
    dataset: str
    """What the model was trained on, in words."""
    vocabulary: tuple[str, ...] = Field(min_length=1, strict=False)
    unseen_characters: str = ""
    """Those of the vocabulary that no label held."""
    blank_index: int = Field(ge=1)
    image: ImageSpec
    time_steps: int = Field(ge=1)
    """Of the widest input, where the width follows the image."""
    label_lengths: dict[str, int]
    """How many labels of each length were seen."""
    image_sizes: ImageSizes | None = None
    """Of photographs, where it has a detector. None in bundles from before it was noted, and in
    imported ones."""
    detector: DetectorSpec | None = None
    """Of the network in detector.onnx that finds the line in a photograph; None where images are
    lines."""
    proposed_pattern: str | None = None
    """What all labels fit; predictions must fit it only once a user has accepted it."""
    metrics: Metrics | None
    calibration: Calibration | None = None
    detection: DetectionFigures | None = None
    """None without a detector."""
    allowed: AllowedFigures | None = None
    """None where the job had no list of allowed texts."""
    learned: Learned | None = None
    """None where the images were too few to tell, and in bundles of format 1."""
    comparison: Comparison | None = None
    """With the version that was served before it, if there was one that could be read with."""
    seed: int
    parameters: dict[str, Scalar]
    libraries: dict[str, str]
    files: dict[str, FileEntry]

    @model_validator(mode="before")
    @classmethod
    def _known(cls, document: Any) -> Any:
        if isinstance(document, dict) and document.get("format") == 1:
            for name in document.keys() - cls.model_fields.keys():
                raise ValueError(f"{name[:100]} is not a field of format 1")
        return document

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        if unknown := [name for name in self.requires if name not in KNOWN]:
            needed = ", ".join(unknown)
            raise ValueError(f"it requires {needed[:100]}, which this release does not know")
        if self.blank_index != Vocabulary(self.vocabulary).blank_index:
            raise ValueError(
                f"blank_index is {self.blank_index}, "
                f"but the blank comes after the {len(self.vocabulary)} characters"
            )
        if (self.detector is None) == (DETECTOR in self.requires):
            raise ValueError("detector and requires contradict each other")
        detector = (DETECTOR_KERAS, DETECTOR_ONNX) if self.detector else ()
        for name in (KERAS_MODEL, ONNX_MODEL, self.golden_predictions, *detector):
            if name not in self.files:
                raise ValueError(f"files does not list {name}")
        for name in self.files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name:
                raise ValueError(f"files lists {name!r}, which lies outside the bundle")
        return self

    @property
    def golden_predictions(self) -> str:
        """The name of the file of its golden predictions."""
        return GOLDEN_OF_FORMAT_1 if self.format == 1 else GOLDEN_PREDICTIONS

    @property
    def graphs(self) -> tuple[str, ...]:
        """The names of the files that a predictor runs."""
        return (ONNX_MODEL, DETECTOR_ONNX) if self.detector else (ONNX_MODEL,)

    def model_vocabulary(self) -> Vocabulary:
        """Return the vocabulary as the decoder wants it."""
        return Vocabulary(self.vocabulary, right_to_left=self.image.direction == "rtl")

    @property
    def temperature(self) -> float:
        """Return the temperature of its confidences; 1 if nobody calibrated them."""
        return self.calibration.temperature if self.calibration else 1.0


def read_file(folder: Path, name: str, part: BundlePart, limit: int = MOST_BYTES) -> bytes:
    """Read a file of a bundle; raises BundleError, also if it has more bytes than the limit."""
    try:
        return read_small(folder / name, limit)
    except OSError as error:
        raise BundleError(f"{name} cannot be read: {error.strerror}.", part) from error


def read_manifest(folder: Path, sha256: str | None = None) -> Manifest:
    """Read a bundle's manifest as parse_manifest does; raises BundleError."""
    return parse_manifest(read_file(folder, MANIFEST, "manifest"), sha256)


def parse_manifest(data: bytes, sha256: str | None = None, name: str = MANIFEST) -> Manifest:
    """Return the manifest that a file holds; raises BundleError saying which field is wrong.

    sha256: the hash that it was published with, if that is to be checked; name: for the error.
    """
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise BundleError(f"{name} does not have the SHA-256 that was published.", "manifest")
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        message = f"{MANIFEST} is not valid at {first_fault(error)}."
        if error.errors()[0]["loc"] == ("format",):
            message = (
                f"{MANIFEST} is of another format than 1 and {FORMAT}, which this release reads."
            )
        raise BundleError(message, "manifest") from error


def first_fault(error: ValidationError) -> str:
    """Say where a document is wrong first, and how."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "document"
    return f"{where[:100]}: {plain_fault(first['msg'])}"


def verify_bundle(folder: Path, files: Mapping[str, FileEntry]) -> None:
    """Check that a bundle holds the listed files as they were, and no others; BundleError if not.

    Links are refused, for they lead elsewhere, and so is what is neither file nor folder.
    """
    try:
        for path in folder.rglob("*"):
            name = path.relative_to(folder).as_posix()
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise BundleError(f"{name} is a link, or neither a file nor a folder.", "files")
            if path.is_file() and name not in (MANIFEST, *files):
                raise BundleError(f"{name} is there, but not listed in {MANIFEST}.", "files")
    except OSError as error:
        raise BundleError(f"The bundle cannot be read: {error.strerror}.", "files") from error
    verify_files(folder, files)


def verify_files(folder: Path, files: Mapping[str, FileEntry]) -> None:
    """Check size and hash of every listed file; BundleError names the first that differs."""
    for name, entry in files.items():
        try:
            found = FileEntry.of(folder / name)
        except OSError as error:
            raise BundleError(f"{name} cannot be read: {error.strerror}.", "files") from error
        if found.size != entry.size:
            raise BundleError(
                f"{name} has {found.size} bytes, the manifest says {entry.size} bytes.", "files"
            )
        if found.sha256 != entry.sha256:
            message = f"{name} does not have the SHA-256 that the manifest says."
            raise BundleError(message, "files")


class GoldenPrediction(Frozen):
    """A held-out image of the bundle, what it says, and what the trainer read."""

    file: str
    truth: str
    text: str
    confidence: float = Field(ge=0, le=1)
