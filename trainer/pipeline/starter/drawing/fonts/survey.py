"""Chooses the fonts: `python -m trainer.pipeline.starter.drawing.fonts.survey` writes fonts.csv.

Fonts of symbols, fonts without glyphs and fonts that nobody can read are left out: every letter and
digit is compared with its median over all families.
"""

import argparse
import csv
import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from trainer.pipeline.starter.drawing.fonts.fonts import CSV, FOLDER
from trainer.pipeline.starter.drawing.texts import (
    ACCENTED,
    CYRILLIC,
    DIGITS,
    GREEK,
    LOWER,
    MARKS,
    PUNCTUATION,
    UPPER,
)

BOX = (20, 28)
LETTERS = DIGITS + UPPER + LOWER
ALIKE = ("0oO", "1iIl", "cC", "kK", "mM", "pP", "sS", "uUvV", "wW", "xX", "yY", "zZ", "jJ", "gq9")
"""Characters of one shape in many fonts once their size is taken away."""

WORST_RANK = 4.0
"""A font's letters may have this many better fitting medians on average."""

WORST_RANKS = {"blackletter": 6.5, "handwriting": 6.5, "segment": 99.0}
"""Those of kinds whose letters differ from all others'; of segments, digits are drawn alone."""

TYPICAL_RANK = 1.6
"""Fonts that count for the medians."""

DECORATIVE_RANK = 1.1
SAME = 0.993
TWO_SHAPES = "abdeghnqrt"
"""Letters whose small form is not the capital's."""

LOW = "aenr"
"""Those of them without ascender and descender."""

PER_FAMILY = 6
GROUPS = {
    "p": PUNCTUATION,
    "c": ACCENTED,
    "g": GREEK,
    "y": CYRILLIC,
    "m": MARKS,
    "s": "ſ",
}
"""What a font covers beside letters and digits, as fonts.csv says it."""

KINDS = (
    ("segment", r"dseg|segment|\blcd|digital"),
    (
        "dots",
        r"(?<!di)dot|matrix|pixel|terminus|creep|spleen|glasstty|atarismall|proggy|sixtyfour|amiga",
    ),
    ("ocr", r"\bocr"),
    ("blackletter", r"blankenburg|isabella|unz1|frak|blackletter|yfonts|QTBlackForest|QTLondon"),
    ("plate", r"roadgeek|opendin|osifont|routed|national.?park|alte.?din|transport|plate"),
    (
        "typewriter",
        r"typewriter|courier|typist|tlwg ?typo|cursor|lm ?mono|freemono|nimbus ?mono"
        r"|compagnon|evertype|courierten|libertine ?mono|cousine|liberation ?mono",
    ),
    (
        "handwriting",
        r"breip|dkg|bwht|femke|humor|klee|rufscript|yusei|sjfonts|tomson|comic|dancing|kaushan"
        r"|kristi|lobster|leckerli|purisa|ecolier|staypuft|steveHand|jamesHand|script|hand|cherry"
        r"|pagul|great.?vibes|miama|QTMerry|steve|delphine|domestic|havana|chancery|z003"
        r"|bajaderka|campania",
    ),
)
LEFT_OUT = re.compile(r"/drm/|awesome", re.IGNORECASE)
"""A hundred sizes of one face, and signs of firms."""

DECORATIVE = re.compile(r"aenigma|dustin|cabinsketch|radisnoir|le-murmure|solide|ferrite|rampart")

Glyph = NDArray[np.float32]


@dataclass(frozen=True)
class Surveyed:
    """A font with all letters and digits; `glyphs` are (62, 560) with mean 0 and length 1.

    `capitals` says that its small letters are capitals, too.
    """

    path: Path
    family: str
    style: str
    covers: str
    fixed_pitch: bool
    serifs: bool
    capitals: bool
    glyphs: Glyph


def _bitmap(font: ImageFont.FreeTypeFont, character: str) -> Image.Image | None:
    left, top, right, bottom = font.getbbox(character)
    if right <= left or bottom <= top:
        return None
    image = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
    ImageDraw.Draw(image).text((4 - left, 4 - top), character, 255, font)
    box = image.getbbox()
    return image.crop(box) if box else None


def _covered(font: ImageFont.FreeTypeFont, characters: str, missing: bytes) -> bool:
    for character in characters:
        glyph = _bitmap(font, character)
        if glyph is None or glyph.tobytes() == missing:
            return False
    return True


def _normalised(glyph: Image.Image) -> Glyph:
    pixels = np.asarray(glyph.resize(BOX, Image.Resampling.BOX), np.float32).ravel()
    pixels = pixels - pixels.mean()
    return np.asarray(pixels / (np.linalg.norm(pixels) + 1e-3), np.float32)


def _has_serifs(font: ImageFont.FreeTypeFont) -> bool:
    """Tell whether the capital H is wider at its feet than above them."""
    glyph = _bitmap(font, "H")
    if glyph is None:
        return False
    rows = (np.asarray(glyph) > 128).sum(1)
    return bool(rows[-max(2, len(rows) // 20) :].max() > 1.4 * rows[len(rows) * 3 // 4])


def _has_capitals_only(font: ImageFont.FreeTypeFont) -> bool:
    """Tell whether small letters are as high as capitals, or of the same shape."""
    heights, alike = [], []
    for character in TWO_SHAPES:
        small, capital = _bitmap(font, character), _bitmap(font, character.upper())
        if small is None or capital is None:
            return False
        alike.append(float(_normalised(small) @ _normalised(capital)))
        if character in LOW:
            heights.append(small.height / capital.height)
    return bool(np.median(heights) > 0.88 or np.mean(alike) > 0.9)


def look(path: Path) -> Surveyed | None:
    """Return the font, or None if it lacks letters, digits or any difference between them."""
    try:
        font = ImageFont.truetype(str(path), 48, layout_engine=ImageFont.Layout.BASIC)
        absent = _bitmap(font, "\U0010fffd")
        missing = absent.tobytes() if absent else b""
        if not _covered(font, LETTERS, missing):
            return None
        glyphs = np.stack([_normalised(_bitmap(font, c) or absent) for c in LETTERS])  # type: ignore[arg-type]
        covers = "".join(
            g for g, characters in GROUPS.items() if _covered(font, characters, missing)
        )
        advances = [font.getlength(character) for character in "iMW1."]
    except (OSError, ValueError):
        return None
    family, style = (str(part) for part in font.getname())
    fixed = max(advances) - min(advances) < 1
    capitals = _has_capitals_only(font)
    covers = covers if capitals else "l" + covers
    return Surveyed(path, family, style, covers, fixed, _has_serifs(font), capitals, glyphs)


def _groups() -> NDArray[np.int64]:
    groups = list(range(len(LETTERS)))
    for alike in ALIKE:
        for character in alike:
            groups[LETTERS.index(character)] = LETTERS.index(alike[0])
    return np.asarray(groups)


def typical(fonts: Sequence[Surveyed]) -> Glyph:
    """Return the median of each letter and digit over the families, (62, 560)."""
    chosen = list(fonts)
    for _ in range(2):
        families = {font.family: font for font in chosen}
        medians = np.median(np.stack([font.glyphs for font in families.values()]), 0)
        medians /= np.linalg.norm(medians, axis=1, keepdims=True)
        chosen = [font for font in fonts if rank(font, medians) < TYPICAL_RANK]
    return np.asarray(medians, np.float32)


def rank(font: Surveyed, medians: Glyph) -> float:
    """Return how many other characters' medians fit a font's glyphs better, on average."""
    groups = _groups()
    order = np.argsort(groups, kind="stable")
    names, starts = np.unique(groups[order], return_index=True)
    fits = np.maximum.reduceat((font.glyphs @ medians.T)[:, order], starts, axis=1)
    own = fits[np.arange(len(LETTERS)), np.searchsorted(names, groups)]
    better = (fits > own[:, None] + 0.02).sum(1)
    return float(better[_considered(font)].mean())


def _considered(font: Surveyed) -> list[int]:
    """Return the indexes of the characters that are drawn in a font."""
    return [i for i, c in enumerate(LETTERS) if not (font.capitals and c.islower())]


def _twins(font: Surveyed) -> int:
    """Count pairs of characters that look the same and should not."""
    indexes = _considered(font)
    groups = _groups()[indexes]
    fits = font.glyphs[indexes] @ font.glyphs[indexes].T
    return int(((fits > SAME) & (groups[:, None] != groups[None, :])).sum() // 2)


def kind_of(font: Surveyed, rank: float) -> str:
    """Return the kind of a font, by its name, its pitch and its letters."""
    name = f"{font.path} {font.family}"
    for kind, pattern in KINDS:
        if re.search(pattern, name, re.IGNORECASE):
            return kind
    if DECORATIVE.search(name) or rank > DECORATIVE_RANK:
        return "display"
    if font.fixed_pitch:
        return "mono"
    return "serif" if font.serifs else "sans"


def _is_fair(font: Surveyed, medians: Glyph) -> bool:
    found = rank(font, medians)
    kind = kind_of(font, found)
    if found >= WORST_RANKS.get(kind, WORST_RANK):
        return False
    return kind == "segment" or _twins(font) == 0


def _thinned(fonts: Sequence[Surveyed]) -> list[Surveyed]:
    """Keep at most PER_FAMILY files of a family, spread over its styles."""
    families: Mapping[str, list[Surveyed]] = defaultdict(list)
    for font in sorted(fonts, key=lambda font: (font.family, font.style, str(font.path))):
        families[font.family].append(font)
    kept: list[Surveyed] = []
    for entries in families.values():
        count = min(PER_FAMILY, len(entries))
        kept += [entries[round(i * (len(entries) - 1) / max(1, count - 1))] for i in range(count)]
    return kept


def rows_of(fonts: Sequence[Surveyed], root: Path) -> list[tuple[str, str, str, str, str]]:
    """Return the rows of fonts.csv: of the fonts given, those that can be read."""
    medians = typical(fonts)
    rows = []
    for font in _thinned([font for font in fonts if _is_fair(font, medians)]):
        kind = kind_of(font, rank(font, medians))
        digest = hashlib.sha256(font.path.read_bytes()).hexdigest()
        rows.append(
            (font.path.relative_to(root).as_posix(), font.family, kind, font.covers, digest)
        )
    return sorted(rows)


def write(root: Path, target: Path) -> int:
    """Look at every font below the folder and write the list; returns how many fonts it has."""
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in {".ttf", ".otf"})
    usable = [p for p in paths if not p.is_symlink() and not LEFT_OUT.search(str(p))]
    looked = (look(path) for path in usable)
    rows = rows_of([font for font in looked if font is not None], root)
    with target.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "family", "kind", "covers", "sha256"))
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    """Write fonts.csv from the fonts that are installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=FOLDER)
    parser.add_argument("--target", type=Path, default=CSV)
    arguments = parser.parse_args()
    count = write(arguments.root, arguments.target)
    print(f"{count:,} fonts in {arguments.target}")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
