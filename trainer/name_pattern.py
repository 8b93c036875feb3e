"""Regular expressions that cut labels out of file names, compiled within bounds."""

import re

import regex

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
