"""One row of a list of labels, whatever its format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from trainer.pipeline.datasets.sources.marked.boxes import Box


class Part(IntEnum):
    """A part of a dataset."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


PART_NAMES = {
    **dict.fromkeys(("train", "training"), Part.TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), Part.VALIDATION),
    **dict.fromkeys(("test", "testing"), Part.TEST),
}
"""As users name the parts, in the column split, as folders and in the names of lists."""
PART_COLUMNS = ("split", "subset", "partition", "part", "usage", "phase", "set")
"""The columns that may tell the part. Under other names than the first, they tell one only where
they begin with the name of one."""
STATES = {
    "readable": True,
    "unreadable": False,
    **dict.fromkeys(("confirmed", "suspected"), True),
    **dict.fromkeys(("proposed", "unlabelled"), None),
}
"""Whether there is anything to read on an image, by the column state; None where nobody has said
it yet. All but the first are those of living datasets."""
LIVING = STATES.keys() - {"readable"}
FURTHER = ("by", "at", "random", "proposal", "confidence", "proposed_by")
"""Columns that a living dataset has besides state."""


def labelling_of(given: Mapping[str, object]) -> dict[str, str]:
    """Return state and FURTHER of a row whose state is one of a living dataset's, else nothing."""
    if str(given.get("state") or "").lower() not in LIVING:
        return {}
    cells = {name: str(given.get(name) or "") for name in ("state", *FURTHER)}
    return {name: cell for name, cell in cells.items() if cell}


@dataclass(frozen=True, slots=True)
class LabelRow:
    """What a list says of one image, or of a box in it."""

    manifest: str
    """The list's file."""
    line: int
    """The line, or in JSON the number of the entry, from 1."""
    filename: str
    text: str
    group: str = ""
    """Empty if there is none."""
    part: Part | None = None
    readable: bool | None = True
    """None for an image that nobody has labelled yet."""
    labelling: Mapping[str, str] = field(default_factory=dict)
    """What a living dataset says of it."""
    fault: str = ""
    """Why the text is not certain, so that the image is left out: the end of a sentence that
    begins with the row's place. Empty if the text is certain."""
    unit: str = "line"
    """What `line` counts."""
    box: Box | None = None
    """Where in the image the text is; None for the whole image."""

    @property
    def place(self) -> str:
        """Where the row is, for messages."""
        return f"{self.manifest} {self.unit} {self.line}"


def part_column(names: Sequence[str], cells: Sequence[object]) -> str:
    """Return the name of the column that tells the part, by the cells of the first row."""
    first = dict(zip(names, cells, strict=False))
    named = (n for n in PART_COLUMNS[1:] if str(first.get(n) or "").strip().lower() in PART_NAMES)
    return PART_COLUMNS[0] if PART_COLUMNS[0] in names else next(named, PART_COLUMNS[0])
