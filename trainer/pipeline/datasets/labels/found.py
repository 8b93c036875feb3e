"""The labels of a set, and what keeps files from having one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.texts import shown
from trainer.pipeline.datasets.labels.label_row import Part
from trainer.pipeline.datasets.sources.marked.boxes import Box
from trainer.pipeline.datasets.sources.text_columns import Texts, TextTable
from trainer.schemas.labels import LINE_BREAK, UnusableLabelError, usable_label

FILE_NAMES = "file names"


@dataclass(frozen=True)
class DatasetProblem:
    """Why a file is left out: kind is a snake_case name, detail a sentence.

    The file's name is safe to show: shortened, without control characters.
    """

    kind: str
    file: str
    detail: str


@dataclass
class FoundLabels:
    """Labels by file name, and the files that have none."""

    source: str
    """Where the labels come from, for messages."""
    labels: TextTable = field(default_factory=lambda: TextTable(Texts(), Texts()))
    """In the order of the source, in which disks read fastest."""
    groups: dict[str, str] = field(default_factory=dict)
    """The column group of label files, or the image that a line is cut out of, by file name."""
    groups_from: str = "the column group"
    boxes: dict[str, tuple[str, Box]] = field(default_factory=dict)
    """The image and the box of each line that is cut out of an image, by the line's name."""
    detects: bool = False
    """Whether a detector can learn from the boxes, and is to."""
    parts: dict[str, Part] = field(default_factory=dict)
    """The user's own parts that the lists tell, by file name."""
    parts_from: str = "the column split"
    labellings: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """What the list of a living dataset says of its images beyond their texts, by file name."""
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The list's file and what it calls the row, and its number, by file name."""
    notes: list[str] = field(default_factory=list)
    """What was recognised and how it was read, in sentences."""
    warnings: list[str] = field(default_factory=list)
    """What to look at in the lists, in sentences."""
    problems: list[DatasetProblem] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    """Names of images without a text, or of their lines; some may have one elsewhere."""
    ignored: int = 0
    """Files that are neither images nor a label file."""
    decided: dict[str, str | None] = field(default_factory=dict)
    """Labels corrected by a user: they win over those of files with the same image; None leaves
    the image out."""
    corrections: frozenset[str] = frozenset()
    """Names in `decided` that corrections add to the dataset."""
    unknown: int = 0
    """The number of names in relabel that no image has."""
    broken: set[str] = field(default_factory=set)
    """Names of the images whose label had a line break, which is a space now."""
    misread: tuple[str, ...] = ()
    """Names in a zip that does not declare their encoding."""

    def names(self) -> Sequence[str]:
        """Return the names of all labelled images, the decided ones first.

        First, because of files with the same image the first one's label is used.
        """
        if not self.decided:
            return self.labels.names
        return [*self.decided, *(name for name in self.labels if name not in self.decided)]

    def label(self, name: str) -> str | None:
        """Return the valid label, "" if nothing can be read; None for an image that is left out."""
        return self.decided[name] if name in self.decided else self.labels[name]

    def place(self, name: str) -> str:
        """Return where a file's label is written: a line of a list, or the file itself."""
        if name not in self.places:
            return shown(name)
        where, number = self.places[name]
        return f"{shown(where)} {number}"

    def usable(self, name: str, text: str | None, why_none: str = "") -> str | None:
        """Return a text as a label; if it is none, record the problem and return None."""
        if text is None:
            self.lacks_label(name, why_none)
            return None
        try:
            label = usable_label(text)
        except UnusableLabelError as error:
            self.problems.append(DatasetProblem(error.kind, shown(name), f"Its label {error}."))
            if error.kind == "empty_label":
                self.unlabelled.append(name)
            return None
        if LINE_BREAK.search(text.strip()):
            self.broken.add(name)
        return label

    def lacks_label(self, name: str, why: str) -> None:
        """Record that an image has no text."""
        self.problems.append(DatasetProblem("missing_label", shown(name), why))
        self.unlabelled.append(name)

    def count(self, kind: str) -> int:
        """Return how many problems of a kind there are."""
        return Counter(problem.kind for problem in self.problems)[kind]


def unprintable(name: str) -> DatasetProblem:
    """Return the problem of a file whose name cannot be shown."""
    return DatasetProblem(
        "unprintable_name", shown(name), "Its name holds control characters, or is not UTF-8."
    )
