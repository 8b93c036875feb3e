"""What is odd about labels, and what to do about it: said before a training spends time on them."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from shared.texts import shown
from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.labels.file_names import further_part, why_no_labels
from trainer.pipeline.datasets.labels.found import FILE_NAMES, FoundLabels
from trainer.pipeline.datasets.labels.unseen_characters import invisible, spelt, wide_form

EXAMPLES = 3
SHOWN = 40
"""Characters of an example."""
AS_TEXT = "If so, format the column as text and fill it in again."
ENOUGH = 20
"""Of fewer labels nothing is told by what most of them are like."""
RARE_FORM, COMMON_FORM = 0.01, 0.8
"""The shares of labels of a form that is rare, where another one is common."""
KINDS = ("letters", "digits", "others")
MOSTLY = 0.9
FEW_TEXTS = 3
"""Of many images, hardly so few texts are all that they show."""
WIDE = 40
"""Times as wide as high; a line of 60 characters is 30 to 40 times."""
FOLD = '--fold-labels (in a request "fold_labels": true)'

_WORD_AND_NUMBER = re.compile(r"^(?:[0-9]+_)?([^\W\d_]+)_[0-9]+$")
_MONTHS = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_REWRITTEN = (
    (
        re.compile(r"[0-9](?:[.,][0-9]+)?E[+-][0-9]+", re.IGNORECASE),
        "are numbers as a spreadsheet shortens long ones, so that digits may be lost",
        AS_TEXT,
    ),
    (
        re.compile(r"[0-9]+\.0"),
        "end in .0, as if a program had taken them for numbers",
        "If the images do not show it, write the column as text (in pandas: dtype=str).",
    ),
    (
        re.compile(r"\{.*:.*\}|\[.*\\?\".*\]"),
        "are JSON, in which the text may be one of several values",
        "Give the text alone.",
    ),
    (re.compile(r"=.*"), "are formulas of a spreadsheet", "Write the text alone."),
    (
        re.compile(r"#(?:NAME\?|REF!|VALUE!|N/A|DIV/0!|NUM!)"),
        "are errors of a spreadsheet",
        AS_TEXT,
    ),
    (
        re.compile(rf"[0-9]{{1,2}}-{_MONTHS}|{_MONTHS}-[0-9]{{1,2}}"),
        "are dates, which a spreadsheet makes of texts like 3-1",
        AS_TEXT,
    ),
)
"""What spreadsheets and programs make of labels, and the remedy."""


def doubts(
    found: FoundLabels, images: ImageTable, sizes: Mapping[tuple[int, int], int]
) -> list[str]:
    """Return what is odd about the labels of usable images, a sentence or two each.

    sizes: how many images have each width and height.
    """
    labels = {i.name: i.label for i in images if i.label and i.name not in found.corrections}
    told = _Told(found, labels)
    return [
        *_further_parts(found),
        *told.rewritten(),
        *told.zeros_dropped(sizes),
        *told.decoded_twice(),
        *told.no_texts(),
        *told.numbers_of_files(),
        *told.characters(),
        *told.cases(),
        *told.rare_forms(),
        *_wide(images),
    ]


class _Told:
    """Labels by file, and how examples of them are told."""

    def __init__(self, found: FoundLabels, labels: Mapping[str, str]) -> None:
        self._found = found
        self._labels = labels

    def _where(self, which: Callable[[str], bool]) -> list[str]:
        return [name for name, label in self._labels.items() if which(label)]

    def _examples(self, names: Sequence[str]) -> str:
        some = (
            f"{visible(self._labels[name])} ({self._found.place(name)})"
            for name in names[:EXAMPLES]
        )
        return ", ".join(some)

    def _say(self, names: Sequence[str], what: str, remedy: str) -> Iterator[str]:
        if names:
            count = f"{len(names)} of {len(self._labels)} labels"
            yield f"{count} {what}: {self._examples(names)}. {remedy}"

    def rewritten(self) -> Iterator[str]:
        """Tell of labels that a spreadsheet has rewritten."""
        for pattern, what, remedy in _REWRITTEN:
            names = [name for name, label in self._labels.items() if pattern.fullmatch(label)]
            yield from self._say(names, what, remedy)

    def zeros_dropped(self, sizes: Mapping[tuple[int, int], int]) -> Iterator[str]:
        """Tell of numbers that may have begun with zeros: images as wide, and fewer digits."""
        labels = self._labels.values()
        numbers = all(re.fullmatch(r"0|[1-9][0-9]*", label) for label in labels)
        lengths = Counter(map(len, labels))
        same_size = max(sizes.values(), default=0) >= MOSTLY * sum(sizes.values())
        if len(labels) >= ENOUGH and numbers and len(lengths) > 1 and same_size:
            longest = max(lengths)
            names = self._where(lambda label: len(label) < longest)
            yield from self._say(
                names,
                f"have fewer than {longest} digits, none begins with 0, and the images are of one "
                "size, so that a spreadsheet may have dropped leading zeros",
                f"Look at these images. {AS_TEXT}",
            )

    def decoded_twice(self) -> Iterator[str]:
        """Tell of UTF-8 that a program took for Windows-1252 and wrote again: Ã© for é."""
        names = self._where(lambda label: _once(label) != label)
        if names:
            meant = shown(_once(self._labels[names[0]]), SHOWN)
            yield from self._say(
                names,
                "are as if UTF-8 had been read as Windows-1252",
                f"If the first one is {meant}, export the list again as UTF-8.",
            )

    def no_texts(self) -> Iterator[str]:
        """Tell of labels that are the classes of the images, or number them."""
        if self._found.source == FILE_NAMES or len(self._labels) < ENOUGH:
            return
        different = sorted(set(self._labels.values()))
        everywhere = list(self._labels)
        if len(different) <= FEW_TEXTS:
            listed = ", ".join(map(visible, different))
            yield from self._say(
                everywhere,
                f"are one of {len(different)} ({listed}), as if they named what is on the image",
                "If these are no texts, name the column of the texts text.",
            )
        elif (what := why_no_labels(list(self._labels.values()))) is not None:
            yield from self._say(
                everywhere,
                f"are {what}, as if they named the images",
                "If these are no texts, name the column of the texts text.",
            )

    def numbers_of_files(self) -> Iterator[str]:
        """Tell of numbers that end their files' names, whose words may be the texts, as MJSynth's.

        There, 182_slinking_71711.jpg is listed with 71711, the line of slinking in a dictionary.
        """
        names = [
            name
            for name, label in self._labels.items()
            if label.isdigit()
            and _WORD_AND_NUMBER.fullmatch(PurePosixPath(name).stem)
            and PurePosixPath(name).stem.endswith(f"_{label}")
        ]
        if self._found.source != FILE_NAMES and len(names) > MOSTLY * len(self._labels):
            yield from self._say(
                names,
                "are numbers at the end of their file names, which hold words, too",
                f"If the words are the texts, give --labels 'filename:{_WORD_AND_NUMBER.pattern}'.",
            )

    def characters(self) -> Iterator[str]:
        """Tell of characters that cannot be seen, or that are others' doubles."""
        holding: dict[str, list[str]] = {}
        for name, label in self._labels.items():
            for character in set(label):
                odd = invisible(character) or wide_form(character)
                if odd and not spelt(character, label):
                    holding.setdefault(character, []).append(name)
        for character, names in sorted(holding.items()):
            named = f"hold {code_point(character)}"
            if wide_form(character):
                plain = unicodedata.normalize("NFKC", character)
                remedy = f"If the images show an ordinary {plain}, write that, or give {FOLD}."
                yield from self._say(names, f"{named}, a wide form", remedy)
            else:
                remedy = f"Remove it, or give {FOLD}."
                yield from self._say(names, f"{named}, which no image can show", remedy)

    def cases(self) -> Iterator[str]:
        """Tell of a few labels in the other case: in many fonts c and C look the same."""
        upper = self._where(lambda label: label.upper() == label != label.lower())
        lower = self._where(lambda label: label.lower() == label != label.upper())
        few, many = sorted((upper, lower), key=len)
        if len(many) >= ENOUGH and few and len(few) <= (1 - MOSTLY) * len(many):
            these, others = ("lower", "upper") if few is lower else ("upper", "lower")
            yield from self._say(
                few,
                f"are in {these} case, {len(many)} in {others} case",
                "If the images show no difference, write all in one.",
            )

    def rare_forms(self) -> Iterator[str]:
        """Tell of labels unlike nearly all others: in length, or in kinds of characters."""
        forms = Counter(map(_form, self._labels.values()))
        total = len(self._labels)
        if not forms or forms.most_common(1)[0][1] < COMMON_FORM * total:
            return
        (length, kinds), _ = forms.most_common(1)[0]
        usual = [label for label in self._labels.values() if len(label) == length]
        rare = {
            form
            for form, count in forms.items()
            if count < RARE_FORM * total and (form[0] != length or _by_chance(form[1], usual) < 0.5)
        }
        names = self._where(lambda label: _form(label) in rare)
        yield from self._say(
            names,
            f"are unlike the others, most of which have {length} characters ({kinds})",
            "Look whether they are right.",
        )


def _once(label: str) -> str:
    """Return what a label was if its UTF-8 was read as Windows-1252, else the label."""
    try:
        return label if label.isascii() else label.encode("cp1252").decode()
    except UnicodeError:
        return label


def _form(label: str) -> tuple[int, str]:
    kinds = set(map(_kind, label))
    return len(label), " and ".join(kind for kind in KINDS if kind in kinds)


def _kind(character: str) -> str:
    return KINDS[0] if character.isalpha() else KINDS[1] if character.isdigit() else KINDS[2]


def _by_chance(kinds: str, labels: Sequence[str]) -> float:
    """Return how many of labels of one length are expected to hold these kinds alone.

    As if every place drew its character for itself: of random texts of letters and digits, a few
    are digits throughout.
    """
    allowed = kinds.split(" and ")
    shares = (
        sum(_kind(character) in allowed for character in place) / len(labels)
        for place in zip(*labels, strict=True)
    )
    return len(labels) * math.prod(shares)


def _further_parts(found: FoundLabels) -> Iterator[str]:
    if found.source != FILE_NAMES or not found.labels:
        return
    stems = [PurePosixPath(name).stem for name in found.labels]
    if (told := further_part(stems)) is not None:
        what, count, pattern = told
        yield (
            f"{count} of {len(stems)} file names hold {what}, which counts as part of the label. "
            f"If it is none, give the pattern {pattern} (--labels 'filename:{pattern}')."
        )


def _wide(images: ImageTable) -> Iterator[str]:
    wide = [image for image in images if image.size[0] > WIDE * image.size[1]]
    if wide:
        width, height = wide[0].size
        yield (
            f"{len(wide)} images are more than {WIDE} times as wide as high, as "
            f"{shown(wide[0].name)} ({width}x{height}): so long a line becomes small in the "
            "input. Cut such lines into words."
        )


def code_point(character: str) -> str:
    """Return a character's number and name in Unicode."""
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'without a name').lower()})"


def visible(text: str) -> str:
    """Return a text in which what cannot be seen is written as its number."""
    return shown("".join(f"<U+{ord(c):04X}>" if invisible(c) else c for c in text[:SHOWN]))
