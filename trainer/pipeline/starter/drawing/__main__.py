"""Draws a sheet of every kind: `python -m trainer.pipeline.starter.drawing SHEET.png`."""

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from trainer.pipeline.starter.drawing import KINDS, Drawer, Drawn
from trainer.pipeline.starter.drawing.fonts.fonts import installed_faces

CELL = (230, 66)
CAPTION = 12


def sheet(drawings: list[Drawn], columns: int) -> Image.Image:
    """Return the drawings in rows, their texts below them."""
    rows = -(-len(drawings) // columns)
    image = Image.new("RGB", (columns * CELL[0], rows * (CELL[1] + CAPTION)), (84, 88, 96))
    pen = ImageDraw.Draw(image)
    font = _captions()
    for index, drawn in enumerate(drawings):
        x, y = index % columns * CELL[0], index // columns * (CELL[1] + CAPTION)
        small = drawn.image.copy()
        small.thumbnail((CELL[0] - 6, CELL[1] - 4), Image.Resampling.BOX)
        image.paste(small, (x, y))
        pen.text((x + 1, y + small.height), drawn.text, (235, 235, 235), font)
    return image


def _captions() -> ImageFont.FreeTypeFont:
    """Return a font that has all that is drawn, if one is installed."""
    for face in installed_faces():
        if set("cgympsl") <= set(face.covers) and face.kind == "sans":
            return ImageFont.truetype(str(face.path), 9)
    raise SystemExit("No font is installed: make starter-fonts installs them")


def main() -> None:
    """Draw some lines of each kind, or of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--kind", choices=list(KINDS), action="append")
    parser.add_argument("--each", type=int, default=12, help="lines of each kind")
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    drawer = Drawer(arguments.seed)
    kinds = arguments.kind or list(KINDS)
    drawings = [drawer.draw(kind) for kind in kinds for _ in range(arguments.each)]
    sheet(drawings, arguments.columns).save(arguments.sheet, optimize=True)


if __name__ == "__main__":
    main()
