"""Which texts can be labels."""

from shared.vocabulary import normalise_label
from trainer.safe_zip import printable, shown

MAX_LABEL = 1000
"""Characters; the widest input has hardly more time steps."""


def require_printable(text: str) -> str:
    """Return the text; raises ValueError unless it can be shown, and written as UTF-8."""
    if not printable(text):
        raise ValueError(f"holds control characters: {shown(text)}")
    return text


class UnusableLabelError(ValueError):
    """A text that cannot be a label: kind is a snake_case name, the message says what it is."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def usable_label(text: str) -> str:
    """Return a label as it is learned and compared; raises UnusableLabelError."""
    if len(text) > MAX_LABEL:  # before it is normalised, which takes its time with long texts
        message = f"has {len(text):,} characters; the limit is {MAX_LABEL:,}"
        raise UnusableLabelError("label_too_long", message)
    label = normalise_label(text)
    if not label:
        raise UnusableLabelError("empty_label", "is empty")
    if not printable(label):
        message = f"holds control characters: {shown(label)}"
        raise UnusableLabelError("unprintable_label", message)
    return label
