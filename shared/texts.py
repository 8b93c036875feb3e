"""Texts from outside: how long they may be, in which form they are compared, how they are shown."""

import logging
import re
import unicodedata
from types import TracebackType

MAX_MARKS = 30
"""Combining marks in a row, as in Unicode's Stream-Safe Text Format (UAX 15, section 13)."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MISLEADING = re.compile(
    rf"{_UNPRINTABLE.pattern}|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]",
)
"""What a terminal obeys, and marks that turn the direction of what follows (Unicode's UAX 9)."""


def too_long(length: int, most: int) -> str:
    """Return the end of the sentence about a text of too many characters."""
    return f"has {length:,} characters; the limit is {most:,}"


def composed(text: str) -> str:
    """Return a text in Unicode's composed form (NFC); raises ValueError for endless marks.

    Measure the length first. Composing sorts the marks on a letter in quadratic time: 10,000 on
    one took a second, in which no other thread ran.
    """
    if len(text) > MAX_MARKS and not text.isascii():
        _require_few_marks(text)
    return unicodedata.normalize("NFC", text)


def _require_few_marks(text: str) -> None:
    marks = 0
    for character in text:
        # Some characters of class 0 decompose into marks.
        first = unicodedata.normalize("NFD", character)[0]
        marks = marks + 1 if unicodedata.combining(first) else 0
        if marks > MAX_MARKS:
            raise ValueError(f"has more than {MAX_MARKS} combining marks in a row")


def printable(text: str) -> bool:
    """Tell whether a name or a label has no control characters and can be written as UTF-8."""
    return _UNPRINTABLE.search(text) is None


def require_printable(text: str) -> str:
    """Return the text; raises ValueError unless it can be shown, and written as UTF-8."""
    if not printable(text):
        raise ValueError(f"holds control characters: {shown(text)}")
    return text


def shown(text: str, most: int | None = 200) -> str:
    r"""Return a text as it can stand in a message, a log or on a terminal.

    Control characters, line breaks, lone surrogates and marks that turn the direction of text
    are written as \u001b, which in JSON means the same. most: characters, the rest is cut.
    """
    if most is not None and len(text) > most:
        return f"{shown(text[:most])}…"
    return _MISLEADING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shown_lines(text: str) -> str:
    """Return a text of several lines as it can be shown; the line breaks stay."""
    return "\n".join(shown(line, None) for line in text.split("\n"))


_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED_FORMULA = re.compile(r"'+[=+\-@\t\r]")


def csv_cell(text: str) -> str:
    """Return a text for a cell of a CSV; raises nothing.

    An apostrophe keeps spreadsheets from running what begins like a formula (OWASP, "CSV
    Injection"). Another one keeps what looks escaped apart from it.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def text_of_cell(cell: str) -> str:
    """Return the text that `csv_cell` made this cell of."""
    return cell[1:] if _ESCAPED_FORMULA.match(cell) else cell


class _ShownFormatter(logging.Formatter):
    """Writes a line per record, in which nothing from outside moves the cursor or adds a line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return shown(super().formatMessage(record), None)

    def formatException(  # noqa: N802 - logging's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        return shown_lines(super().formatException(ei))


def log_as_text() -> None:
    """Have this process log to stderr, a line per record."""
    handler = logging.StreamHandler()
    handler.setFormatter(_ShownFormatter("%(asctime)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def plain_fault(message: str) -> str:
    """Return what pydantic says of a value, without the kind of error that it may begin with."""
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
