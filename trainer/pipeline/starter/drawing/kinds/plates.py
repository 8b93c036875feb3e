"""Plates of cars, signs with numbers, labels on containers and machines."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from trainer.pipeline.starter.drawing import texts
from trainer.pipeline.starter.drawing.chance import Chance
from trainer.pipeline.starter.drawing.fonts.fonts import Face, Fonts
from trainer.pipeline.starter.drawing.grounds import (
    Colour,
    against,
    any_colour,
    cloud,
    ground,
    near,
    two_colours,
)
from trainer.pipeline.starter.drawing.lines import Scene, stretched, worn

FONTS = {"plate": 42, "sans": 36, "mono": 8, "display": 5, "serif": 4, "ocr": 3, "dots": 1}
SMALL = {"sans": 70, "serif": 15, "handwriting": 15}
PATTERNS = (
    "AA 99 AAA", "AAA 999", "AAA 9999", "999 AAA", "9AAA999", "AA 999 AA", "A 999 AA", "AA 9999",
    "9999 AAA", "AAA99A", "AA-999-AA", "9-AAA-999", "99 AA 99", "A AA 9999", "AAA-9A99", "AAA9A99",
    "A·XXXXX", "A XXXXX", "AXXXXX", "AA·XXXXX", "999999", "99999", "9999", "999 999", "AA 99999",
    "AA99 AA 9999", "AA 99 A 9999", "A99 AAA", "AAA 99", "XXXXXXX", "XXXXXX", "XXX XXX", "XXXX",
    "A-AA 999", "AAA-AA 99", "99-AAA-9", "99-99-AA", "9 AAA 99", "AAAA 999999 9", "A 9999 AA",
    "AA AA 999", "AAAAAA", "AAA AAA", "99A 9999", "AAA 9 AAA",
)  # fmt: skip
COLOURS: tuple[tuple[Colour, Colour], ...] = (
    ((20, 20, 24), (240, 240, 238)),
    ((20, 20, 24), (240, 190, 30)),
    ((245, 245, 245), (25, 60, 170)),
    ((245, 245, 245), (15, 15, 18)),
    ((30, 40, 130), (240, 240, 245)),
    ((160, 20, 30), (240, 240, 240)),
    ((20, 100, 60), (240, 240, 240)),
    ((245, 245, 245), (20, 110, 60)),
    ((245, 245, 245), (170, 25, 30)),
    ((20, 20, 20), (140, 210, 150)),
    ((40, 50, 110), (235, 225, 190)),
)
WORDS = (
    "STATE", "COUNTY", "SUNSHINE", "GARDEN", "VALLEY", "LAKES", "PEACH", "GRAND", "NORTH", "SOUTH",
    "PARK", "ROYAL", "LONE", "STAR", "GOLDEN", "OCEAN",
)  # fmt: skip


@dataclass(frozen=True)
class Plate:
    """The ink of a plate's characters, and its colours."""

    ink: Image.Image
    colour: Colour
    paper: Colour


def plate(chance: Chance, fonts: Fonts) -> tuple[str, Scene]:
    """Draw a plate; gaps, dots and dashes between its groups are no part of the text."""
    shown = texts.filled(chance, chance.pick(PATTERNS))
    if chance.maybe(0.15):
        shown = "".join(
            chance.pick(texts.UPPER + texts.DIGITS) for _ in range(chance.integer(3, 9))
        )
    text = "".join(character for character in shown if character.isalnum())
    face = fonts.choose(chance, FONTS)
    ink = _characters(chance, fonts, face, shown)
    if chance.maybe(0.14):
        ink = _foreign_first(chance, ink)
    if chance.maybe(0.3):
        ink = worn(chance, ink, 0.6)
    colour, paper = chance.pick(COLOURS) if chance.maybe(0.65) else two_colours(chance)
    drawn = Plate(ink, near(chance, colour, 14), near(chance, paper, 14))
    return text, _mounted(chance, fonts, drawn)


def _characters(chance: Chance, fonts: Fonts, face: Face, shown: str) -> Image.Image:
    """Set characters with the spacing, gaps and marks between groups that plates have."""
    size = round(chance.log_uniform(22, 48))
    font = fonts.open(face, size)
    spacing = size * chance.pick((0, 0, 0.05, 0.1, 0.2, 0.35))
    gap = size * chance.pick((0.1, 0.2, 0.35, 0.6))
    mark = chance.pick(("", "", "", "dot", "dash", "square"))
    ink = Image.new("L", (round(len(shown) * (size * 1.3 + spacing) + 4 * gap) + size, 2 * size))
    pen = ImageDraw.Draw(ink)
    x, middle = size * 0.3, size * 1.05
    for character in shown:
        if character.isalnum():
            pen.text((x, 1.4 * size), character, 255, font, anchor="ls")
            x += font.getlength(character) + spacing
            continue
        x += gap
        half = size * chance.uniform(0.04, 0.09)
        if mark == "dot":
            pen.ellipse((x - half, middle - half, x + half, middle + half), 255)
        elif mark:
            wide = half if mark == "square" else 2 * half
            pen.rectangle((x - wide, middle - half, x + wide, middle + half), 255)
        x += gap * (1 if mark else 0.3)
    ink = ink.crop(ink.getbbox() or (0, 0, 8, 8))
    return stretched(ink, chance.log_uniform(0.6, 1.15))


def _foreign_first(chance: Chance, ink: Image.Image) -> Image.Image:
    """Put a sign of strokes before the text, like the first sign of a plate in China or Japan."""
    side = round(ink.height * chance.uniform(0.85, 1.05))
    sign = Image.new("L", (side, side))
    pen = ImageDraw.Draw(sign)
    thick = max(1, round(side * chance.uniform(0.05, 0.1)))
    for _ in range(chance.integer(5, 10)):
        x, y = chance.integer(0, side), chance.integer(0, side)
        far = side * chance.uniform(0.3, 0.9)
        way = chance.pick(((1, 0), (1, 0), (0, 1), (0, 1), (0.6, 0.7), (-0.6, 0.7)))
        pen.line((x, y, x + way[0] * far, y + way[1] * far), 255, thick)
    gap = round(ink.height * chance.uniform(0.1, 0.35))
    both = Image.new("L", (side + gap + ink.width, ink.height))
    both.paste(sign, (0, (ink.height - side) // 2))
    both.paste(ink, (side + gap, 0))
    return both


def _mounted(chance: Chance, fonts: Fonts, drawn: Plate) -> Scene:
    """Put the characters on a plate with frame, bolts, strips and small words, and it on a car."""
    ink = drawn.ink
    height = ink.height
    pads = [round(height * chance.uniform(0.08, 0.5)) for _ in range(2)]
    pads += [round(height * chance.uniform(0.1, 0.45)) for _ in range(2)]
    strip = round(height * chance.uniform(0.35, 0.7)) if chance.maybe(0.22) else 0
    words = chance.maybe(0.25)
    if words:
        pads[2:] = [round(height * chance.uniform(0.35, 0.6)) for _ in range(2)]
    width = ink.width + pads[0] + pads[1] + strip
    tall = height + pads[2] + pads[3]
    room = round(height * 0.8)
    body = any_colour(chance) if chance.maybe(0.5) else near(chance, (50, 50, 52), 25)
    image = ground(chance, (width + 2 * room, tall + 2 * room), body)
    face = ground(chance, (width, tall), drawn.paper, 0.5)
    _frame(chance, face, drawn)
    at = (strip + pads[0], pads[2])
    if strip:
        _strip(chance, fonts, face, strip)
    if words:
        _words(chance, fonts, face, drawn, at)
    _emboss(chance, face, drawn, at)
    _bolts(chance, face, drawn)
    shape = Image.new("L", face.size, 0)
    ImageDraw.Draw(shape).rounded_rectangle(
        (0, 0, width - 1, tall - 1), chance.uniform(0, 0.25) * height, 255
    )
    image.paste(face, (room, room), shape)
    left, top = room + at[0], room + at[1]
    margins = (chance.uniform(0, 0.25), chance.uniform(0.3, 0.75))
    return Scene(image, (left, top, left + ink.width, top + height), margins, tilt=2)


def _frame(chance: Chance, face: Image.Image, drawn: Plate) -> None:
    if not chance.maybe(0.55):
        return
    colour = drawn.colour if chance.maybe(0.6) else any_colour(chance)
    inset, thick = chance.integer(0, 3), chance.integer(1, 3)
    box = (inset, inset, face.width - 1 - inset, face.height - 1 - inset)
    ImageDraw.Draw(face).rounded_rectangle(box, chance.integer(0, 8), outline=colour, width=thick)


def _strip(chance: Chance, fonts: Fonts, face: Image.Image, wide: int) -> None:
    """Draw the coloured strip with a flag and the letter of a country."""
    colour = near(
        chance, chance.pick(((20, 60, 160), (20, 60, 160), (180, 30, 40), (20, 120, 60))), 15
    )
    strip = Image.new("RGB", (wide, face.height), colour)
    pen = ImageDraw.Draw(strip)
    radius = wide * 0.28
    for angle in np.linspace(0, 6.28, 9):
        x, y = wide / 2 + radius * np.cos(angle), face.height * 0.3 + radius * np.sin(angle)
        pen.ellipse((x - 1, y - 1, x + 1, y + 1), (240, 200, 40))
    font = fonts.open(fonts.choose(chance, {"sans": 1}), max(8, round(wide * 0.55)))
    letters = "".join(chance.pick(texts.UPPER) for _ in range(chance.integer(1, 2)))
    pen.text((wide / 2, face.height * 0.9), letters, (250, 250, 250), font, anchor="ms")
    face.paste(strip, (0, 0))


def _words(
    chance: Chance, fonts: Fonts, face: Image.Image, drawn: Plate, at: tuple[int, int]
) -> None:
    """Draw small words above and below."""
    pen = ImageDraw.Draw(face)
    bottom = at[1] + drawn.ink.height
    places = [(at[1] / 2, at[1]), ((bottom + face.height) / 2, face.height - bottom)]
    for y, room in places if chance.maybe(0.5) else places[:1]:
        font = fonts.open(
            fonts.choose(chance, SMALL, "l"), max(7, round(room * chance.uniform(0.4, 0.65)))
        )
        words = " ".join(chance.pick(WORDS) for _ in range(chance.integer(1, 3)))
        words = words.title() if chance.maybe(0.3) else words
        colour = drawn.colour if chance.maybe(0.6) else against(chance, drawn.paper, 50)
        pen.text((face.width / 2, y), words, colour, font, anchor="mm")


def _emboss(chance: Chance, face: Image.Image, drawn: Plate, at: tuple[int, int]) -> None:
    """Paste the characters, at times pressed into the sheet with a light and a dark edge."""
    if chance.maybe(0.25):
        shift = max(1, round(drawn.ink.height * 0.03))
        edge = near(chance, drawn.paper, 30)
        face.paste(edge, (at[0] + shift, at[1] + shift), drawn.ink)
    face.paste(drawn.colour, at, drawn.ink)


def _bolts(chance: Chance, face: Image.Image, drawn: Plate) -> None:
    """Draw bolts and specks of dirt."""
    pen = ImageDraw.Draw(face)
    height = drawn.ink.height
    if chance.maybe(0.4):
        radius = max(1.0, height * chance.uniform(0.03, 0.08))
        colour = near(chance, (110, 110, 110), 50)
        inset = height * chance.uniform(0.1, 0.3)
        y = chance.pick((inset, face.height / 2, face.height - inset))
        for x in (
            inset + chance.uniform(0, height),
            face.width - inset - chance.uniform(0, height),
        ):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    if chance.maybe(0.15):
        dirt = cloud(chance, face.size, chance.uniform(3, 12))[..., 0] - chance.uniform(0.1, 0.6)
        spots = Image.fromarray((np.clip(dirt * 2, 0, 0.7) * 255).astype(np.uint8))
        face.paste(near(chance, (110, 95, 75), 20), (0, 0), spots)
