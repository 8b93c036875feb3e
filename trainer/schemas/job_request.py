"""What a user asks for with POST /jobs: strict, frozen, and checked before anything is queued."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from shared.patterns.allowed import AllowedTexts
from shared.recognition.image_spec import Direction, Region, Rows
from shared.store.builtin import STARTERS, not_builtin
from shared.store.manifest import ModelName
from shared.texts import composed, require_printable
from trainer.schemas.addresses import WebAddress
from trainer.schemas.labels import MAX_LABEL, compile_pattern, usable_label
from trainer.schemas.search_request import OF_THE_IMAGE, RANGED, RequestPart, Search, Values

DEFAULT_DATASET_URL = (
    "https://github.com/AakashKumarNain/CaptchaCracker/raw/master/captcha_images_v2.zip"
)

PresetName = Literal["conv", "conv-large", "crnn"]
_PRESET: TypeAdapter[PresetName] = TypeAdapter(PresetName)
Auto = Literal["auto"]
PresetChoice = PresetName | Auto
Promote = Literal["auto", "always", "never"]
EvaluationChoice = Literal["auto", "test_part", "cross_validation"]
SelfTraining = Literal["auto", "off"]
DetectorChoice = Literal["auto", "off"]


class Synthetic(RequestPart):
    """Parameters of a set drawn by the `captcha` library."""

    images: int = Field(1040, ge=10, le=100_000)
    width: int = Field(200, ge=40, le=1000)
    height: int = Field(50, ge=20, le=300)
    min_length: int = Field(5, ge=1, le=16)
    max_length: int = Field(5, ge=1, le=16)
    characters: str = Field("2345678bcdefgmnpwxy", min_length=2, max_length=200)
    seed: int = Field(0, ge=0, le=2**32 - 1)

    @field_validator("characters")
    @classmethod
    def _drawable(cls, value: str) -> str:
        if len(set(value)) != len(value) or any(not c.isascii() or not c.isalnum() for c in value):
            raise ValueError("must be distinct ASCII letters and digits")
        return value

    @model_validator(mode="after")
    def _ordered(self) -> "Synthetic":
        if self.min_length > self.max_length:
            raise ValueError("min_length must not be greater than max_length")
        return self


def _web_url(value: str) -> str:
    WebAddress.parse(value)
    return value


WebUrl = Annotated[str, Field(max_length=2048), AfterValidator(_web_url)]


class DatasetRequest(RequestPart):
    """Where the labelled images come from: exactly one of `url`, `id` and `synthetic`."""

    url: WebUrl | None = None
    """A zip to download."""
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    """What the downloaded zip must hash to."""
    id: str | None = Field(None, pattern=r"^dataset-[0-9a-f]{32}$")
    """A zip that was sent to POST /datasets, or a living dataset."""
    version: int | None = Field(None, ge=0, lt=2**31)
    """Of a living dataset: its present one unless another is named that a job was queued for."""
    synthetic: Synthetic | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "DatasetRequest":
        if sum(source is not None for source in (self.url, self.id, self.synthetic)) != 1:
            raise ValueError("must have exactly one of url, id and synthetic")
        if self.sha256 is not None and self.url is None:
            raise ValueError("sha256 goes with url only")
        if self.version is not None and self.id is None:
            raise ValueError("version goes with id only")
        return self


class FilenameLabels(RequestPart):
    """Labels in the file names, cut out by a regular expression.

    The group named `text`, else the first group, else the whole match is the label; it is
    searched in the file name without its ending.
    """

    pattern: str = Field(max_length=200)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        compile_pattern(value)
        return value


class FilenameLabelSource(RequestPart):
    """Labels are taken from the file names."""

    filename: FilenameLabels


class FileLabelSource(RequestPart):
    """Labels are taken from one list, although others are there or its name is not known."""

    file: str = Field(min_length=1, max_length=1000)
    """Its path in the dataset."""


def _source(value: Any) -> str:
    """Return which of the forms a value is meant to be: an error is told of that one alone."""
    if isinstance(value, FileLabelSource) or (isinstance(value, dict) and "file" in value):
        return "list"
    return "pattern" if isinstance(value, dict | FilenameLabelSource) else "name"


Labels = Annotated[
    Annotated[Literal["auto", "filename", "manifest", "beside", "folder"], Tag("name")]
    | Annotated[FilenameLabelSource, Tag("pattern")]
    | Annotated[FileLabelSource, Tag("list")],
    Discriminator(_source),
]
"""Found by the trainer; the file names; lists of labels; text files beside the images; the names
of their folders."""


MAX_CHARACTERS = 10_000


class ListedCharacters(RequestPart):
    """The characters that the model can predict, and no others."""

    characters: Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]

    @field_validator("characters")
    @classmethod
    def _usable(cls, value: str) -> str:
        return "".join(dict.fromkeys(require_printable(composed(value))))


VocabularyChoice = Auto | Literal["closed"] | ListedCharacters


ImageName = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(require_printable)]
Label = Annotated[str, Field(max_length=MAX_LABEL), AfterValidator(usable_label)]


def _no_stand_in(value: object) -> object:
    """Refuse what only equals a number: Pydantic takes True and 1.0 for 1 in a Literal."""
    if isinstance(value, bool | float):
        raise PydanticCustomError("whole_number", "Input should be a whole number")
    return value


class Hyperparameters(RequestPart):
    """Each a number, or "auto" to let the trainer choose from the data."""

    epochs: Annotated[int, Field(ge=1, le=10_000)] | Auto = "auto"
    batch_size: Annotated[int, Field(ge=1, le=4096)] | Auto = "auto"
    learning_rate: Annotated[float, Field(gt=0, le=1)] | Auto = "auto"
    patience: Annotated[int, Field(ge=1, le=10_000)] | Auto = "auto"
    """Epochs without a better validation result after which training stops."""
    height: Annotated[int, Field(ge=16, le=512)] | Auto = "auto"
    width: Annotated[int, Field(ge=16, le=4096, multiple_of=4)] | Auto = "auto"
    region: Region | Literal["whole"] | Auto = "auto"
    """The part of every image that holds the text, its sides as shares of width and height."""
    rows: Annotated[Rows | Auto, BeforeValidator(_no_stand_in)] = "auto"
    """Of text: 2 for images that have two, as the plates of motorcycles, or some of them."""
    resize: Literal["stretch", "pad", "follow"] | Auto = "auto"
    """Stretch images to the input's size, keep their aspect ratio on a plain ground, or let the
    input's width follow the image."""
    channels: Annotated[Literal[1, 3] | Auto, BeforeValidator(_no_stand_in)] = "auto"
    """1 for gray, 3 for colour."""
    direction: Direction | Auto = "auto"
    """Of the text, by the letters of the labels: left to right, or right to left."""
    standardize: bool | Auto = "auto"
    """Whether each image is brought to mean 0 and deviation 1; else pixels are in [0, 1]."""
    augmentation: Annotated[float, Field(ge=0, le=4)] | Auto = "auto"
    """How strongly training images are varied: 0 not at all, 1 as usual."""
    max_minutes: Annotated[float, Field(gt=0, le=10_080)] | Auto = "auto"
    limit_images: Annotated[int, Field(ge=2)] | Auto = "auto"
    """At most this many images for training and validation together."""


def _hundredths(value: float) -> float:
    if value != round(value, 2):
        raise ValueError("must have at most two decimals")
    return value


def _shareable(value: float) -> float:
    if value > 1 and not value.is_integer():
        raise ValueError("must be a whole number, or a share of one GPU")
    return _hundredths(value)


class Resources(RequestPart):
    """What a job asks of the machine that it is placed on; Ray goes by it.

    The local executor takes what its machine has.
    """

    cpus: Annotated[float, AfterValidator(_hundredths)] = Field(1, ge=0.01, le=1024)
    gpus: Annotated[float, AfterValidator(_shareable)] = Field(0, ge=0, le=1024)
    """Below 1: a share of one."""
    memory_bytes: int | None = Field(None, ge=1, le=2**50)


class JobRequest(RequestPart):
    """The body of POST /jobs; everything has a default."""

    dataset: DatasetRequest = DatasetRequest(url=DEFAULT_DATASET_URL)
    labels: Labels = "auto"
    fold_labels: bool = False
    """Whether characters of labels that no image can show are removed, and full-width ones
    replaced by ordinary ones."""
    relabel: dict[ImageName, Label | None] = Field(default_factory=dict, max_length=10_000)
    """Right labels by the images' file names in the dataset; null leaves an image out."""
    allowed: AllowedTexts | None = None
    """All the texts that may come: the job measures what such a list brings, and proposes the
    confidence below which to reject. POST /models/{name}/allowed sets it."""
    corrections: bool = False
    """Whether the model's corrections are added to the training part; where one is of an image
    of the dataset, its text takes the place of the label there."""
    model: Annotated[ModelName, AfterValidator(not_builtin)] = "default"
    preset: PresetChoice = "auto"
    """The network; auto: the base version's, otherwise conv, which serves fastest, unless it errs
    on the validation part once it has learned, and conv-large errs less. Where epochs are given,
    which take the networks different times, conv."""
    hyperparameters: Hyperparameters = Hyperparameters()
    vocabulary: VocabularyChoice = "auto"
    """The characters that the model can predict: those of the labels and, while few labels may
    have missed some, the other digits or letters of the same case (auto); those of the labels
    alone (closed); or those that are given. All of them beside those of the base version."""
    seed: int = Field(0, ge=0, le=2**32 - 1)
    base: Annotated[int, Field(ge=1)] | Literal["starter", "none"] = "starter"
    """An earlier version of the same model to start from; the starter that comes with Readsmith
    (where preset and size fit it); or none, to start from nothing."""
    promote: Promote = "auto"
    """Whether the new version is served: unless it is clearly worse than the served one on the
    new test part; always; or never, until somebody promotes it."""
    metadata: dict[
        Annotated[str, Field(min_length=1, max_length=64)], Annotated[str, Field(max_length=512)]
    ] = Field(default_factory=dict, max_length=16)
    search: Search | None = None
    """Trains with several settings instead of one."""
    evaluation: EvaluationChoice = "auto"
    """What measures the model: a test part, which it does not learn from; or all images in four
    folds, each predicted by a network that has not learned from it. These networks, of which each
    has learned from the other folds, are then joined by the mean of their weights, and published
    as one that has learned from all. auto: the latter below 150 images, where training begins from
    the starter and ends by itself, and the dataset has no parts of its own."""
    self_training: SelfTraining = "auto"
    """Whether images of the dataset without a text are learned from as well, with the texts that
    the networks read on them with confidence. auto: where it is cross-validated, and only if the
    folds are then read better."""
    detector: DetectorChoice = "auto"
    """Whether a network is trained, too, that finds the line in a photograph. auto: where each
    image has one line, marked by its corners or a box, and neither a search nor cross_validation
    is asked for. off: the model reads lines that are cut out already."""
    resources: Resources = Resources()

    @property
    def may_detect(self) -> bool:
        """Whether a detector is trained where the dataset allows it."""
        plain = self.search is None and self.evaluation != "cross_validation"
        return self.detector == "auto" and plain

    @property
    def settled_preset(self) -> PresetName:
        """The preset, conv for auto: the network of trainings that are not raced."""
        return "conv" if self.preset == "auto" else self.preset

    @property
    def can_cross_validate(self) -> bool:
        """Whether its networks all begin with the same weights: their mean is of use only then."""
        return not any(_against_cross_validation(dict(self)))

    def on_version(self, version: int | None) -> "JobRequest":
        """Return the request as if it named this version of its dataset."""
        dataset = self.dataset.model_copy(update={"version": version})
        return self.model_copy(update={"dataset": dataset})

    def of_preset(self, preset: PresetName) -> "JobRequest":
        """Return the request as if it named this preset."""
        return self.model_copy(update={"preset": preset})

    @field_validator("search")
    @classmethod
    def _can_be_searched(cls, search: Search | None, info: ValidationInfo) -> Search | None:
        problems = [
            InitErrorDetails(
                type=PydanticCustomError("not_searchable", "{why}", {"why": why}),
                loc=("parameters", name),
                input=values,
            )
            for name, values in (search.parameters.items() if search else ())
            for why in _not_searchable(name, values, info.data)
        ]
        if problems:
            raise ValidationError.from_exception_data("Search", problems)
        return search

    @field_validator("evaluation")
    @classmethod
    def _can_be_evaluated(cls, value: EvaluationChoice, info: ValidationInfo) -> EvaluationChoice:
        if value == "cross_validation":
            for why in _against_cross_validation(info.data):
                raise PydanticCustomError("not_cross_validated", "{why}", {"why": why})
        return value


def _against_cross_validation(given: dict[str, Any]) -> Iterator[str]:
    """Yield what forbids it in a request's fields, those that are wrong left out."""
    if given.get("search") is not None:
        yield "cannot be cross_validation in a search"
    if given.get("preset", "auto") not in ("auto", *STARTERS):
        yield f"can be cross_validation with the presets {' and '.join(STARTERS)} only"
    hyperparameters = given.get("hyperparameters", Hyperparameters())
    if given.get("base", "starter") != "starter" or hyperparameters.standardize is False:
        yield "can be cross_validation only if training begins from the starter, standardized"


def _not_searchable(name: str, values: Values, given: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with searching a parameter; given: the request's other fields."""
    hyperparameters = given.get("hyperparameters", Hyperparameters())
    asked = given.get("preset", "conv") if name == "preset" else getattr(hyperparameters, name)
    if asked not in ("auto", "conv"):
        yield f"is given already: {asked}"
    if isinstance(given.get("base"), int) and name in OF_THE_IMAGE:
        yield "is decided by the base version"
    if values.choices is None and name not in RANGED:
        yield "takes choices, not a range"
    if values.log and name == "width":
        yield "takes no log: it is a multiple of 4"
    for value in values.named:
        try:
            if name == "preset":
                _PRESET.validate_python(value)
            else:
                Hyperparameters.model_validate({name: value})
        except ValidationError as error:
            allowed = (each["msg"].removeprefix("Input should be ") for each in error.errors())
            yield f"cannot be {value!r}; it should be {' or '.join(allowed)}"
