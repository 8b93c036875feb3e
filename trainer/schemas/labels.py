"""Which texts can be labels, and the regular expressions that cut labels out of file names."""

import re

import regex

from shared.recognition.vocabulary import normalise_label

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


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


_SHOWN = 200


def printable(name: str) -> bool:
    """Tell whether a name or a label has no control characters and can be written as UTF-8."""
    return _UNPRINTABLE.search(name) is None


def shown(name: str) -> str:
    """Return a name as it can stand in a message: unprintable characters escaped, cut if long."""
    text = _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", name[: _SHOWN + 1])
    return text if len(name) <= _SHOWN else f"{text[:_SHOWN]}…"


MAX_PLACES = 10_000
"""Characters and groups of a pattern, its repeats written out; compiling takes memory for each."""
TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<least>\d*)(?P<range>,(?P<most>\d*))?\}|.", re.DOTALL
)
"""An escaped character, a set, a number of repeats, or any other character."""


def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """Compile a pattern, written as in Python; raises ValueError saying what is wrong with it."""
    if _places(pattern) > MAX_PLACES:
        raise ValueError(
            f"has more than {MAX_PLACES:,} characters where its repeats are written out; a file "
            "name has at most 255"
        )
    try:
        return regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None


def _places(pattern: str) -> int:
    """Count the places of a pattern whose repeats are written out, in one pass; rather too many."""
    groups, last = [0], 0
    for token in TOKEN.finditer(pattern):
        if token["least"] is not None and (token["least"] or token["range"]):
            times = max(int(token["least"] or 1), int(token["most"] or 1))
            groups[-1] += last * (times - 1)
            last *= times
        elif token[0] == "(":
            groups.append(1)
        elif token[0] == ")" and len(groups) > 1:
            last = groups.pop()
            groups[-1] += last
        else:
            last = 1
            groups[-1] += 1
    return sum(groups)
