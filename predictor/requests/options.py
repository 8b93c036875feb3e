"""The options of a request for predictions: which model, and limits that the text must satisfy."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from predictor.requests.problems import validated
from shared.errors import UnusableError
from shared.patterns.allowed import AllowedLines
from shared.patterns.check_digits import CheckDigit
from shared.patterns.limits import ANYTHING, Limits
from shared.patterns.parser import MAX_LENGTH
from shared.store.manifest import MAX_MODEL_NAME
from shared.store.records.record import ModelSettings
from shared.texts import composed, shown


class PredictionOptions(BaseModel):
    """Query parameters, multipart fields and JSON keys alike; None: not requested.

    Each description completes the error message "… must be …".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(
        None, max_length=MAX_MODEL_NAME, description="the name of a model, as text"
    )
    version: int | None = Field(
        None, ge=1, le=999_999_999, description="the number of a retained version of the model"
    )
    top_k: int | None = Field(None, ge=1, le=20, description="a whole number from 1 to 20")
    charset: Annotated[str, Field(max_length=10_000), AfterValidator(composed)] | None = Field(
        None, min_length=1, description="the characters that a text may have"
    )
    pattern: Annotated[str, Field(max_length=MAX_LENGTH)] | None = Field(
        None, min_length=1, description="a pattern that the whole text must match, like [A-Z]{2}"
    )
    allowed: AllowedLines | None = Field(
        None, description="the texts that it may be, each on a line"
    )
    check_digit: Literal[CheckDigit, "none"] | None = Field(
        None, description="ean, iban, iso6346, luhn, mod97 or none"
    )
    allowed_threshold: float | None = Field(None, ge=0, le=1, description="a number from 0 to 1")
    fold_case: bool | None = Field(
        None,
        description="true to read a letter in either case where the limits allow one, or false",
    )
    min_length: int | None = Field(None, ge=0, le=1000, description="a number from 0 to 1000")
    max_length: int | None = Field(None, ge=1, le=1000, description="a number from 1 to 1000")
    min_confidence: float | None = Field(None, ge=0, le=1, description="a number from 0 to 1")
    crop: Literal["auto", "off"] | None = Field(
        None,
        description="auto to have a model with a detector find the line, or off for images that "
        "are cut to the line already",
    )
    show_input: bool | None = Field(
        None, description="true to return each image as the model sees it, or false"
    )
    combine: bool | None = Field(
        None,
        description="true to read the images as shots of one thing, with one text, or false",
    )

    @property
    def limits(self) -> Limits:
        """The limits that a text must satisfy."""
        return Limits(
            self.pattern,
            self.charset,
            self.min_length or 0,
            self.max_length,
            self.allowed or None,  # an empty list allows any text
            None if self.check_digit == "none" else self.check_digit,
        )

    def with_settings(
        self, own: ModelSettings, require_possible: Callable[[Limits], None]
    ) -> "PredictionOptions":
        """Return the options with the model's own limits where the request has none.

        require_possible: raises UnusableError if no text can satisfy the limits. That error is
        raised with a note that some of them are the model's.
        """
        added = {
            name: value
            for name in ("pattern", "allowed", "check_digit", "allowed_threshold")
            if getattr(self, name) is None and (value := getattr(own, name)) is not None
        }
        within = self.model_copy(update=added)
        if within.limits == self.limits:
            return within
        try:
            require_possible(within.limits)
        except UnusableError as error:
            _tell_own(error, added)
            error.field = self.limits.first()
            raise
        return within

    @property
    def may_reject(self) -> bool:
        """Whether the text must be one of those known beforehand: others are rejected."""
        return self.limits.allowed is not None or self.limits.check_digit is not None

    @property
    def search(self) -> bool:
        """Whether the text of the best path is not enough: limits or alternatives are requested."""
        return self.top_k is not None or self.limits != ANYTHING


def _tell_own(error: UnusableError, added: Mapping[str, Any]) -> None:
    """Say which limits of an error are the model's own: the client did not send them."""
    if "pattern" in added:
        error.message += (
            f" One of these limits is the model's own pattern, {shown(added['pattern'])}."
        )
        error.hint = f"A pattern in the request replaces it; .* fits any text. {error.hint}"
    if "check_digit" in added:
        error.message += (
            f" One of these limits is the model's own check_digit, {added['check_digit']}."
        )
        error.hint = f"Send none to do without. {error.hint}"
    if "allowed" in added:
        error.message += " One of these limits is the model's own list of allowed texts."
        error.hint = f"A list in the request replaces it; an empty one is any text. {error.hint}"


NO_OPTIONS: Final = PredictionOptions()
NAMES: Final = tuple(PredictionOptions.model_fields)


def options_of(texts: Mapping[str, str]) -> PredictionOptions:
    """Parse options sent as text; raises UnusableError naming the first invalid one."""
    return validated(PredictionOptions, texts) if texts else NO_OPTIONS


def overridden(options: PredictionOptions, by: PredictionOptions) -> PredictionOptions:
    """Return `options`, overridden by those that `by` sets."""
    changes = {name: value for name in NAMES if (value := getattr(by, name)) is not None}
    return options.model_copy(update=changes) if changes else options


def check_lengths(options: PredictionOptions) -> None:
    """Raise UnusableError if min_length is greater than max_length."""
    least, most = options.min_length, options.max_length
    if least is not None and most is not None and least > most:
        raise UnusableError(
            "request_invalid",
            f"min_length is {least}, max_length only {most}.",
            "min_length must not be greater than max_length.",
            "min_length",
        )
