"""A list of all the texts that a prediction may be, as it comes from outside."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from shared.texts import composed, require_printable

MAX_TEXTS: Final = 10_000
MAX_TEXT: Final = 200
"""Characters of one text."""
MAX_CHARACTERS: Final = 100_000
"""Of all texts together; bounds the time of one image."""
MAX_LINES: Final = 60_000
"""Characters of a list that comes as one text: the text fields of a form take hardly more."""


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # strict models take tuples alone


def _lines(value: Any) -> Any:
    """Split a text at its line breaks; raises ValueError."""
    if not isinstance(value, str):
        return value
    if len(value) > MAX_LINES:
        raise ValueError(f"has {len(value):,} characters; the limit is {MAX_LINES:,}")
    return tuple(line for line in value.splitlines() if line.strip())


def _usable(text: str) -> str:
    text = require_printable(composed(text).strip())
    if not text:
        raise ValueError("is empty")
    return text


def _together(texts: tuple[str, ...]) -> tuple[str, ...]:
    total = sum(map(len, texts))
    if total > MAX_CHARACTERS:
        raise ValueError(f"has {total:,} characters in all; the limit is {MAX_CHARACTERS:,}")
    return tuple(dict.fromkeys(texts))


AllowedTexts = Annotated[
    tuple[Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_usable)], ...],
    Field(max_length=MAX_TEXTS),
    BeforeValidator(_listed),
    AfterValidator(_together),
]
"""Texts, composed and each once."""
AllowedLines = Annotated[AllowedTexts, BeforeValidator(_lines)]
"""The same, or one text with a line for each."""
