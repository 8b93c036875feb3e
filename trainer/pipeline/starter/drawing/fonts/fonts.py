"""The fonts that are drawn in: those of fonts.csv that are installed and unchanged."""

import csv
import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageFont

from trainer.pipeline.starter.drawing.chance import Chance

CSV = Path(__file__).with_name("fonts.csv")
FOLDER = Path("/usr/share/fonts")
"""Where Debian's packages put them; paths in fonts.csv are relative to it."""

OPEN_FONTS = 512
"""Font objects that stay open; together about 100 MB."""


@dataclass(frozen=True)
class Face:
    """A font file. `covers` has a letter for each group of characters in it (see survey.py)."""

    path: Path
    family: str
    kind: str
    covers: str


def installed_faces(table: Path = CSV, folder: Path = FOLDER) -> list[Face]:
    """Return the fonts of the table that are installed with the same content, in its order."""
    faces = []
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            path = folder / row["file"]
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]:
                faces.append(Face(path, row["family"], row["kind"], row["covers"]))
    return faces


class Fonts:
    """Chooses and opens fonts: first a kind, then a family, then a file in it.

    So families with many files and kinds with many families do not drown the rest.
    """

    def __init__(self, faces: Sequence[Face] | None = None) -> None:
        self.faces = list(installed_faces() if faces is None else faces)
        if not self.faces:
            raise ValueError(
                f"No font of {CSV.name} is installed: make starter-fonts installs them"
            )
        self._choices: dict[tuple[str, str], list[list[Face]]] = {}
        self._open: OrderedDict[tuple[Path, int], ImageFont.FreeTypeFont] = OrderedDict()

    def choose(self, chance: Chance, shares: Mapping[str, float], covers: str = "") -> Face:
        """Return a font of one of the kinds, as often as its share says, that covers the groups."""
        for _ in range(4):
            families = self._families(chance.weighted(shares), covers)
            if families:
                return chance.pick(chance.pick(families))
        return chance.pick(chance.pick(self._families("", covers) or self._families("", "")))

    def _families(self, kind: str, covers: str) -> list[list[Face]]:
        """Return the fonts of a kind (any if empty) that cover the groups, by family."""
        if (kind, covers) not in self._choices:
            families = defaultdict(list)
            for face in self.faces:
                if kind in {"", face.kind} and set(covers) <= set(face.covers):
                    families[face.family].append(face)
            self._choices[kind, covers] = list(families.values())
        return self._choices[kind, covers]

    def open(self, face: Face, size: int) -> ImageFont.FreeTypeFont:
        """Return the font in a size; one of those opened last comes from memory."""
        key = (face.path, size)
        if key in self._open:
            self._open.move_to_end(key)
        else:
            basic = ImageFont.Layout.BASIC
            self._open[key] = ImageFont.truetype(str(face.path), size, layout_engine=basic)
            if len(self._open) > OPEN_FONTS:
                self._open.popitem(last=False)
        return self._open[key]
