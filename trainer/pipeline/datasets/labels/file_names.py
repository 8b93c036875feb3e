"""Tells whether file names can be labels, and which part of them may be."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from trainer.pipeline.datasets.labels.label_row import PART_NAMES

FEWEST = 10
"""Of fewer images nothing is told by their names."""
FEWEST_FOLDERS = 3
MOST = 0.9
"""The share of the names for which something must hold."""
DENSE = 0.7
"""The share of the numbers from the least to the greatest that names in a row have."""
SAME = 20
"""Of so many parts of names that hold the text, hardly all are the same."""

_NUMBERED = re.compile(r"(.*?)([0-9]+)\)?")  # also captcha (12)
_CAMERA = re.compile(
    r"(?:IMG|DSC|DSCN|DSCF|PXL|VID|MVIMG|P|GOPR|SAM|WIN|WP|CIMG|PICT|PHOTO|Screenshot|"
    r"Bildschirmfoto|Scan|frame|WhatsApp Image)[ _-]?[0-9].{3,}"
    r"|(?:images?|pict?|picture|photo|foto|bild|captcha|page|line|crop|cam|camera|plate|sample|"
    r"file|snap|snapshot|capture|video|signal|download|unnamed|untitled|unbenannt|cropped|roi|"
    r"thumb|temp|test|train|val|data|set|batch|day|folder)[ _.-]*\(?[0-9].*"
    r"|tmp[a-z0-9_]{8}",
    re.IGNORECASE,
)
_DATE = r"(?:19|20)[0-9]{2}([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])"
_TIME = r"(?:[01][0-9]|2[0-3])([-_.:h]?)[0-5][0-9](?:\2[0-5][0-9])?"
_DATED = re.compile(rf".*{_DATE}[-_. T]*(?:at )?{_TIME}.*", re.IGNORECASE)
_DAY = re.compile(_DATE)
_CLOCK = re.compile(r"1[0-9]{9}(?:[._]?[0-9]{3,9})?")
_UUID_PATTERN = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_UUID = re.compile(_UUID_PATTERN)
_HASH = re.compile(r"[0-9a-f]{8}|[0-9a-f]{10,}", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?!.*(?:\b|_)[0-9a-fA-F]{8,}(?:\b|_))(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9_-]{20,}"
)
"""Without a hash between separators: that may be beside a text."""
_GIVEN = (
    ("UUIDs", _UUID),
    ("names that a camera or a program gave", _CAMERA),
    ("dates and times", _DATED),
    ("times in seconds", _CLOCK),
    ("hashes", _HASH),
    ("random names", _TOKEN),
)
"""What names are that nobody thought of, and how each is written."""

_COPY = (
    r" ?\([0-9]+\)| - [A-Z][a-zé]+(?: \([0-9]+\))?|~[0-9]"
    r"|[ _-]+\(?(?i:copy|copie|copia|cópia|kopie|kopia|kopi|コピー|副本)\)?(?:[ _-]?\(?[0-9]+\)?)?"
)
_COPY_OF = r"(?i:copy|kopie|copie|copia|cópia|kopia) (?i:of|von|van|de|di|av) "
_AFFIXES: tuple[tuple[str, str, float], ...] = (
    ("the mark of a copy, as “ (1)” or “ - Copy”", _COPY, 0),
    ("the hash that Roboflow adds", r"_[a-z]+\.rf\.[0-9A-Za-z]+", 0.5),
    ("a second ending, as .jpg", r"\.(?i:jpe?g|png|gif|bmp|webp|tiff?|avif|heic)", 0),
    ("a UUID", rf"[_-]{_UUID_PATTERN}", 0.5),
    ("a hash", r"[_-][0-9a-fA-F]{8,}", 0.5),
    ("a number that tells the files apart", r"[_@#~-][0-9]+", 0.5),
    ("a part after the last _", r"_[^_]*", 0.5),
    ("a part after the last -", r"-[^-]*", 0.5),
)
"""What may follow the label in a file's name: how it is called, its pattern, and the share of the
names beyond which it is told of."""
_BEFORE_IT = 6
"""The first so many of them may follow another one."""
_COUNTED = re.compile(r"(.*[A-Za-z].*)\.[0-9]+")
"""AB12.3, where 12.3 would be the reading of a meter."""


def why_no_labels(stems: Sequence[str], fewest: int = FEWEST) -> str | None:
    """Return what file names are instead of labels, None if they may be labels."""
    if len(stems) < fewest:
        return None
    if len(set(stems)) == 1:
        return "all the same"
    if _in_a_row(stems):
        return "numbers in a row"
    needed = MOST * len(stems)
    for what, pattern in _GIVEN:
        matching = [stem for stem in stems if pattern.fullmatch(stem)]
        if len(matching) < needed:
            continue
        mixed = sum(not stem.isdigit() and not stem.isalpha() for stem in matching)
        if what != "hashes" or mixed > len(matching) / 2:  # sixteen digits are a card's number
            return what
    return None


def unnamed_folders(images: Iterable[str]) -> dict[PurePosixPath, str]:
    """Return the folders of which the files' names are no labels, and what they are instead."""
    stems: dict[PurePosixPath, list[str]] = {}
    for path in map(PurePosixPath, images):
        stems.setdefault(path.parent, []).append(path.stem)
    told = {folder: why_no_labels(names) for folder, names in stems.items()}
    return {folder: what for folder, what in told.items() if what is not None}


def named_by_folder(images: Iterable[str]) -> bool:
    """Tell whether each folder is named as what its images say.

    Then the files' names tell nothing: they are the same in folder after folder, numbers, or the
    folder's own with a number.
    """
    paths = list(map(PurePosixPath, images))
    folders = {path.parent for path in paths}
    names = [folder.name for folder in folders]
    return (
        _tell_nothing(paths)
        and len(set(map(_within_part, folders))) == len(folders)
        and len(set(names)) >= FEWEST_FOLDERS
        and len({len(folder.parts) for folder in folders}) == 1
        and why_no_labels(names, FEWEST_FOLDERS) is None
        and not all(_DAY.fullmatch(name) for name in names)
        and not any(name.lower() in PART_NAMES for name in names)
    )


def _tell_nothing(paths: Sequence[PurePosixPath]) -> bool:
    """Tell whether the names of files in folders are none that say what the images show."""
    stems = [path.stem for path in paths]
    repeated = 2 * len(set(stems)) <= len(stems)
    return repeated or why_no_labels(stems) is not None or all(map(_counts_in_folder, paths))


def _counts_in_folder(path: PurePosixPath) -> bool:
    return re.fullmatch(rf"{re.escape(path.parent.name)}[ _-]?[0-9]+", path.stem) is not None


def _within_part(folder: PurePosixPath) -> tuple[object, ...]:
    """Return what tells folders of one text apart: train/AB12 and val/AB12 may be of one text."""
    return folder.name, *(PART_NAMES.get(name.lower()) for name in folder.parts[:-1])


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
    return len(numbers) > 1 and len(numbers) >= DENSE * (numbers[-1] - numbers[0] + 1)


def further_part(stems: Sequence[str]) -> tuple[str, int, str] | None:
    """Return what is beside the labels in file names, in how many, and the pattern without it.

    The pattern matches every one of the names. None if nothing is likely to be beside them.
    """
    copies = sum(re.match(_COPY_OF, stem) is not None for stem in stems)
    if copies:
        return "the mark of a copy, as “Copy of ”", copies, f"^(?:{_COPY_OF})?(.+)$"
    if (found := _suffix(stems, _AFFIXES)) is None:
        counted = sum(_COUNTED.fullmatch(stem) is not None for stem in stems)
        dotted = counted == len(stems) >= FEWEST
        return ("a number after a dot", counted, r"^(.+)\.[0-9]+$") if dotted else None
    what, matching, pattern = found
    parts = [(m[1], m[2]) for stem in stems if (m := re.fullmatch(f"(.+?)({pattern})", stem))]
    labels, cut = [label for label, _ in parts], [rest for _, rest in parts]
    separator = next(filter(None, cut))[0]
    if separator in "_-" and _no_texts(labels) and not _no_texts([one[1:] for one in cut if one]):
        return f"a part before the {separator}", matching, f"^[^{separator}]*{separator}(.+)$"
    if "number" not in what and (more := _suffix(labels, _AFFIXES[:_BEFORE_IT])) is not None:
        pattern = more[2] + pattern
    return what, matching, f"^(.+?){pattern}$"


def _suffix(
    stems: Sequence[str], affixes: Sequence[tuple[str, str, float]]
) -> tuple[str, int, str] | None:
    for what, affix, least in affixes:
        group = f"(?:{affix})" if "|" in affix else affix
        matching = sum(re.fullmatch(f".+?{group}", stem) is not None for stem in stems)
        if matching and matching > least * len(stems):
            return what, matching, group if matching == len(stems) else f"(?:{affix})?"
    return None


def _no_texts(parts: Sequence[str]) -> bool:
    """Tell whether parts of names are not what the images say: all alike, or as programs count."""
    return SAME * len(set(parts)) <= len(parts) or why_no_labels(parts) is not None
