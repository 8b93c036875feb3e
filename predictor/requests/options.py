"""What a request may ask for beside its images: which model reads, and what counts as a text."""

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from predictor.requests.problems import invalid
from shared.errors import LimitsError, UnusableError
from shared.patterns.limits import Limits


class PredictionOptions(BaseModel):
    """Query parameters, multipart fields and JSON keys alike; each description says what is right.

    None is what was not asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(None, description="the name of a model, as text")
    version: int | None = Field(
        None, ge=1, le=999_999_999, description="the number of a kept version of the model"
    )
    top_k: int | None = Field(None, ge=1, le=20, description="a whole number from 1 to 20")
    charset: str | None = Field(
        None, min_length=1, max_length=10_000, description="the characters that may be read"
    )
    pattern: str | None = Field(
        None, min_length=1, description="a pattern that the whole text must match, like [A-Z]{2}"
    )
    min_length: int | None = Field(None, ge=0, le=1000, description="a number from 0 to 1000")
    max_length: int | None = Field(None, ge=1, le=1000, description="a number from 1 to 1000")
    min_confidence: float | None = Field(None, ge=0, le=1, description="a number from 0 to 1")
    show_input: bool | None = Field(
        None, description="true to see each image as the model saw it, or false"
    )

    @property
    def limits(self) -> Limits:
        """What a text must be like."""
        return Limits(self.pattern, self.charset, self.min_length or 0, self.max_length)

    def with_default_pattern(
        self, pattern: str | None, require_possible: Callable[[Limits], None]
    ) -> "PredictionOptions":
        """Return the options with a model's own pattern if none was asked for.

        Raises LimitsError, saying whose pattern it is, if require_possible does.
        """
        if pattern is None or self.pattern is not None:
            return self
        within = self.model_copy(update={"pattern": pattern})
        try:
            require_possible(within.limits)
        except LimitsError as error:
            error.message += f" Among these is the model's own pattern, {pattern}."
            error.hint = f"A pattern in the request takes its place; .* fits any text. {error.hint}"
            error.field = self.limits.first()
            raise
        return within

    @property
    def search(self) -> bool:
        """Whether the text of the best path may not be the answer, or not the only one."""
        return self.top_k is not None or self.limits != ANYTHING


ANYTHING: Final = Limits()
NO_OPTIONS: Final = PredictionOptions()
NAMES: Final = tuple(PredictionOptions.model_fields)


def options_of(texts: Mapping[str, str]) -> PredictionOptions:
    """Read options that were sent as text; raises UnusableError naming the first wrong one."""
    if not texts:
        return NO_OPTIONS
    try:
        return PredictionOptions.model_validate(texts)
    except ValidationError as error:
        raise invalid(error, PredictionOptions) from None


def overridden(options: PredictionOptions, by: PredictionOptions) -> PredictionOptions:
    """Return the options with those replaced that the others set."""
    changes = {name: value for name in NAMES if (value := getattr(by, name)) is not None}
    return options.model_copy(update=changes) if changes else options


def check_lengths(options: PredictionOptions) -> None:
    """Raise UnusableError if no length is left."""
    least, most = options.min_length, options.max_length
    if least is not None and most is not None and least > most:
        raise UnusableError(
            "request_invalid",
            f"min_length is {least}, max_length only {most}.",
            "min_length must not be greater than max_length.",
            "min_length",
        )
