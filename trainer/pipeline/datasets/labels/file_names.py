"""Tells whether file names can be labels, and which part of them may be."""

import re
from collections import Counter
from collections.abc import Sequence

FEWEST = 10
"""Of fewer images nothing is told by their names."""
MOST = 0.9
"""The share of the names for which something must hold."""
DENSE = 0.7
"""The share of the numbers from the least to the greatest that names in a row have."""

_NUMBERED = re.compile(r"(.*?)([0-9]+)")
_CAMERA = re.compile(
    r"(?:IMG|DSC|DSCN|DSCF|PXL|VID|MVIMG|P|GOPR|SAM|WIN|WP|CIMG|PICT|PHOTO|Screenshot|"
    r"Bildschirmfoto|Scan|frame|WhatsApp Image)[ _-]?[0-9].{3,}",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_HASH = re.compile(r"(?:[0-9a-f]{16,20}|[0-9a-f]{24}|[0-9a-f]{32,})", re.IGNORECASE)

_AFFIXES: tuple[tuple[str, str, float], ...] = (
    (
        "the mark of a copy, as “ (1)” or “ - Copy”",
        r" \([0-9]+\)| - [A-Z][a-zé]+(?: \([0-9]+\))?| copy(?: [0-9]+)?",
        0,
    ),
    ("the hash that Roboflow adds", r"_[a-z]+\.rf\.[0-9A-Za-z]+", 0.5),
    ("a second ending, as .jpg", r"\.(?i:jpe?g|png|gif|bmp|webp|tiff?|avif|heic)", 0),
    ("a hash", r"[_-][0-9a-fA-F]{8,}", 0.5),
    ("a number that tells the files apart", r"[_-][0-9]+", 0.5),
    ("a part after the last _", r"_[^_]*", 0.5),
    ("a part after the last -", r"-[^-]*", 0.5),
)
"""What may follow the label in a file's name: how it is called, its pattern, and the share of the
names beyond which it is told of."""


def why_no_labels(stems: Sequence[str]) -> str | None:
    """Return what file names are instead of labels, None if they may be labels."""
    if len(stems) < FEWEST:
        return None
    if _in_a_row(stems):
        return "numbers in a row"
    needed = MOST * len(stems)
    for what, pattern in (
        ("UUIDs", _UUID),
        ("names that a camera or a program gave", _CAMERA),
        ("hashes", _HASH),
    ):
        matching = [stem for stem in stems if pattern.fullmatch(stem)]
        if len(matching) < needed:
            continue
        letters = sum(not stem.isdigit() for stem in matching)
        if what != "hashes" or letters > len(matching) / 2:  # sixteen digits are a card's number
            return what
    return None


def _in_a_row(stems: Sequence[str]) -> bool:
    """Tell whether names are the same but for numbers that count up, without many gaps."""
    matches = [match for stem in stems if (match := _NUMBERED.fullmatch(stem))]
    prefixes = Counter(match[1] for match in matches)
    if not prefixes:
        return False
    prefix, count = prefixes.most_common(1)[0]
    if count < MOST * len(stems):
        return False
    numbers = sorted({int(match[2]) for match in matches if match[1] == prefix})
    # Labels of three random digits, a thousand of them, leave a third of the numbers out.
    return len(numbers) > 2 and len(numbers) >= DENSE * (numbers[-1] - numbers[0] + 1)


def further_part(stems: Sequence[str]) -> tuple[str, int, str] | None:
    """Return what follows the labels in file names, in how many, and the pattern without it.

    The pattern matches every one of the names. None if nothing is likely to follow.
    """
    for what, affix, least in _AFFIXES:
        group = f"(?:{affix})" if "|" in affix else affix
        matching = sum(re.fullmatch(f".+?{group}", stem) is not None for stem in stems)
        if matching and matching > least * len(stems):
            every = matching == len(stems)
            return what, matching, f"^(.+?){group}$" if every else f"^(.+?)(?:{affix})?$"
    return None
