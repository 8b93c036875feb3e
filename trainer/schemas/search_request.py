"""What to search for: hyperparameters with ranges or choices, and how much it may cost."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.api.jobs import Value

Searchable = Literal[
    "augmentation",
    "batch_size",
    "channels",
    "epochs",
    "height",
    "learning_rate",
    "patience",
    "preset",
    "resize",
    "standardize",
    "width",
]
WHOLE = ("batch_size", "epochs", "height", "patience", "width")
"""Those whose ranges hold whole numbers."""
RANGED = (*WHOLE, "augmentation", "learning_rate")
OF_THE_IMAGE = ("channels", "height", "preset", "resize", "standardize", "width")
"""What a base version decides."""


Choice = bool | int | float | Annotated[str, Field(max_length=64)]


class RequestPart(BaseModel):
    """Part of what a user asks for: as it is written, unchanged from then on, nothing unknown."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Values(RequestPart):
    """What a hyperparameter may be: `low` to `high`, or one of `choices`."""

    low: int | float | None = Field(None, allow_inf_nan=False)
    high: int | float | None = Field(None, allow_inf_nan=False)
    log: bool = False
    """Whether factors count, not differences: as likely between 0.001 and 0.01 as between 0.01
    and 0.1."""
    choices: Annotated[list[Choice], Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "Values":
        if (self.choices is None) == (self.low is None and self.high is None):
            raise ValueError("must have either low and high, or choices")
        if self.choices is not None:
            if self.log:
                raise ValueError("log goes with low and high only")
            if len({(type(choice), choice) for choice in self.choices}) < len(self.choices):
                raise ValueError("choices must be distinct")
        elif self.low is None or self.high is None:
            raise ValueError("must have both low and high")
        elif self.low >= self.high:
            raise ValueError("low must be less than high")
        elif self.log and self.low <= 0:
            raise ValueError("low must be above 0 where log is true")
        return self

    @property
    def named(self) -> list[Value]:
        """The values that stand here: the ends of the range, or the choices."""
        ends = (self.low, self.high)
        return self.choices or [end for end in ends if end is not None]


class Search(RequestPart):
    """Trains with several settings and publishes the best by the validation part."""

    parameters: dict[Searchable, Values] = Field(min_length=1)
    """By the name of a hyperparameter, or preset."""
    trials: int = Field(10, ge=1, le=1000)
    """At most so many training runs."""
    max_minutes: Annotated[float, Field(gt=0, le=10_080)] | None = None
    """Of training, all trials together: the last one ends, with a low learning rate, by then."""
