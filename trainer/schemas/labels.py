"""Which texts can be labels, how tables call them, and expressions that cut them out of names."""

import re

import regex

from shared.recognition.vocabulary import normalise_label
from shared.texts import printable, shown, too_long

MAX_LABEL = 1000
"""Characters; the widest input has hardly more time steps."""
IMAGE_COLUMNS = (
    *("filename", "file_name", "file", "image", "image_path", "path", "filepath", "file_path"),
    *("image_file", "image_name", "imagename", "img", "img_path", "img_name", "file_upload"),
    *("relative_path", "filename_image"),
)
TEXT_COLUMNS = (
    *("text", "words", "word", "label", "labels", "plate_text", "transcription", "transcript"),
    *("suffix", "ground_truth", "groundtruth", "gt", "plate", "license_plate", "value"),
    *("answer", "caption", "string", "target", "solution"),
)
"""The names under which other tools give a text; of several, only `text` is certain."""


LINE_BREAK = re.compile(r"[ \t]*[\r\n][ \t\r\n]*")


class UnusableLabelError(ValueError):
    """A text that cannot be a label: kind is a snake_case name, the message says what it is."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def usable_label(text: str) -> str:
    """Return a label as it is learned and compared; raises UnusableLabelError.

    A line break, which no answer can hold, becomes a space; a second one is an error.
    """
    if len(text) > MAX_LABEL:
        raise UnusableLabelError("label_too_long", too_long(len(text), MAX_LABEL))
    try:
        label = LINE_BREAK.sub(" ", normalise_label(text), count=1)
    except ValueError as error:
        raise UnusableLabelError("unprintable_label", str(error)) from None
    if not label:
        raise UnusableLabelError("empty_label", "is empty")
    if not printable(label):
        message = f"holds control characters: {shown(label)}"
        raise UnusableLabelError("unprintable_label", message)
    return label


MAX_PLACES = 10_000
"""Characters and groups of a pattern, its repeats written out; compiling takes memory for each."""
TOKEN = re.compile(
    r"\\[pP]\{\^?[A-Za-z_]{1,40}\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]"
    r"|\{(?P<least>\d*)(?P<range>,(?P<most>\d*))?\}|.",
    re.DOTALL,
)
"""An escaped character, a set, a number of repeats, or any other character."""
GROUP = re.compile(r"\((?!\?)|\(\?([:=!>|]|<[=!A-Za-z_]|P<|P=|[aimsu]+[:)-]|-[ims]+[:)]|\(\w)")
"""How a group may begin: as in Python's re, but for comments, which could hide anything."""


def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """Compile a pattern, written as in Python; raises ValueError saying what is wrong with it."""
    if _places(pattern) > MAX_PLACES:
        raise ValueError(
            f"has more than {MAX_PLACES:,} characters where its repeats are written out; a file "
            "name has at most 255"
        )
    _require_plain(pattern)
    try:
        return regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    except MemoryError:
        raise ValueError("takes too much memory") from None


def _require_plain(pattern: str) -> None:
    """Refuse what the package regex knows beyond regular expressions: (?R) took 780 MB."""
    for token in TOKEN.finditer(pattern):
        if token[0] == "(" and not GROUP.match(pattern, token.start()):
            found = shown(pattern[token.start() : token.start() + 5])
            raise ValueError(
                f"has {found} at character {token.start() + 1}: recursion, calls of groups, "
                "comments and flags other than a, i, m, s and u are not supported"
            )
        if token[0] == "{":
            raise ValueError(
                f"has a {{ at character {token.start() + 1} that begins no number of repeats, as "
                "{2,4} does: fuzzy matches are not supported, and a { itself is written \\{"
            )


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
