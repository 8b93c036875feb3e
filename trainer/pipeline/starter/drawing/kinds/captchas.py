"""Captchas, and all text that somebody made hard to read."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from trainer.pipeline.starter.drawing import texts
from trainer.pipeline.starter.drawing.chance import Chance
from trainer.pipeline.starter.drawing.fonts.fonts import Face, Fonts
from trainer.pipeline.starter.drawing.grounds import (
    Colour,
    against,
    any_colour,
    cloud,
    ground,
    luma,
    near,
    to_image,
    two_colours,
)
from trainer.pipeline.starter.drawing.lines import Scene, face_for, outlined, trimmed, waved

FONTS = {
    "sans": 34,
    "serif": 22,
    "display": 20,
    "mono": 8,
    "handwriting": 6,
    "typewriter": 5,
    "plate": 3,
    "dots": 2,
}


SAME_SHAPE = frozenset("cCkKoOpPsSuUvVwWxXzZ")


@dataclass(frozen=True)
class Manner:
    """How one captcha is drawn; sizes and offsets in parts of the height of its characters."""

    size: int
    tilt: float
    uneven: float
    offset: float
    pitch: float
    ragged: float
    fill: str
    colourful: bool
    smooth: bool


def _manner(chance: Chance, text: str) -> Manner:
    # Between small and large letters of one shape, only the size tells.
    mixed = not (text.islower() or text.isupper()) and not SAME_SHAPE.isdisjoint(text)
    tilt = chance.pick((0, 0, chance.uniform(0, 15), chance.uniform(0, 30), chance.uniform(10, 45)))
    return Manner(
        size=round(chance.log_uniform(24, 56)),
        tilt=tilt,
        uneven=0 if mixed else chance.pick((0, 0, 0.15, 0.35)),
        offset=chance.pick((0, 0, 0.08, 0.2, 0.35)),
        pitch=chance.pick((-0.25, -0.15, -0.08, 0, 0, 0.1, 0.3, 0.7)),
        ragged=chance.pick((0, 0, 0.05, 0.15)),
        fill=chance.weighted(
            {"solid": 10, "hollow": 1.4, "outline": 1, "shadow": 1, "speckled": 0.8}
        ),
        colourful=chance.maybe(0.35),
        smooth=chance.maybe(0.88),
    )


def captcha(chance: Chance, fonts: Fonts) -> tuple[str, Scene]:
    """Characters of one or more fonts, off their places, under lines, dots and waves."""
    what = chance.weighted({"code": 8, "word": 1.2, "number": 0.4})
    text = texts.code(chance)
    if what == "word":
        text = texts.phrase(chance, 12, {"en": 1}).replace(" ", "")
    elif what == "number":
        text = texts.bounded(texts.number(chance), 12).replace(" ", "")
    faces, text = _faces(chance, fonts, text)
    manner = _manner(chance, text)
    ink, paper = two_colours(chance)
    places = _placed(chance, fonts, faces, text, manner)
    image, box = _canvas(chance, places, paper, manner)
    lines_first = chance.maybe(0.35)
    if lines_first:
        _disturbed(chance, image, box, ink, paper)
    _inked(chance, image, places, (box[0], box[1]), ink, paper, manner)
    if not lines_first or chance.maybe(0.2):
        _disturbed(chance, image, box, ink, paper)
    if chance.maybe(0.28):
        image = waved(image, chance, chance.uniform(0.01, 0.07) * (box[3] - box[1]) / image.height)
    return text, _cropped(chance, image, box, manner.size * 0.7)


def _faces(chance: Chance, fonts: Fonts, text: str) -> tuple[list[Face], str]:
    """Return the fonts of the characters: one for all, or several."""
    face, text = face_for(chance, fonts, FONTS, text)
    others = [face]
    if chance.maybe(0.35):
        needed = texts.needs(text)
        others += [fonts.choose(chance, FONTS, needed) for _ in range(chance.integer(1, 3))]
        others = [f for f in others if set(needed) <= set(f.covers)] or [face]
    return [chance.pick(others) for _ in text], text


Placed = list[tuple[Image.Image, int, int]]
"""Ink of each character, and where its upper left corner comes."""


def _placed(chance: Chance, fonts: Fonts, faces: list[Face], text: str, manner: Manner) -> Placed:
    places: Placed = []
    x = 0.0
    up_and_down = chance.uniform(0, 6.3)
    sway = manner.offset * chance.pick((0, 0, 1)) * manner.size
    for i, (face, character) in enumerate(zip(faces, text, strict=True)):
        size = round(manner.size * (1 + chance.uniform(-manner.uneven, manner.uneven)))
        font = fonts.open(face, size // 2 * 2)
        left, top, right, bottom = (int(edge) for edge in font.getbbox(character, anchor="ls"))
        ink = Image.new("L", (max(1, right - left) + 4, max(1, bottom - top) + 4))
        pen = ImageDraw.Draw(ink)
        if not manner.smooth:
            pen.fontmode = "1"
        pen.text((2 - left, 2 - top), character, 255, font, anchor="ls")
        middle = (top + bottom) / 2
        if manner.tilt:
            ink = ink.rotate(
                chance.uniform(-manner.tilt, manner.tilt), Image.Resampling.BILINEAR, expand=True
            )
        ink = trimmed(ink)
        shift = chance.uniform(-1, 1) * manner.offset * manner.size * 0.7 + sway * np.sin(
            i + up_and_down
        )
        places.append((ink, round(x), round(middle - ink.height / 2 + shift)))
        gap = manner.pitch + chance.uniform(-manner.ragged, manner.ragged)
        narrow = min(ink.width, manner.size * 0.6)
        x += ink.width + (gap * narrow if gap < 0 else gap * manner.size * 0.5) + manner.size * 0.06
    return places


def _canvas(
    chance: Chance, places: Placed, paper: Colour, manner: Manner
) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Return the ground, and the box that the characters take in it; moves the places to 0, 0."""
    left = min(x for _, x, _ in places)
    top = min(y for _, _, y in places)
    width = max(x + ink.width for ink, x, _ in places) - left
    height = max(y + ink.height for ink, _, y in places) - top
    for i, (ink, x, y) in enumerate(places):
        places[i] = (ink, x - left, y - top)
    loose = chance.pick((0.04, 0.15, 0.3, 0.6, 1.2))
    room = [round(height * chance.uniform(0, loose)) + 2 for _ in range(4)]
    size = (width + room[0] + room[2], height + room[1] + room[3])
    image = ground(chance, size, paper)
    return image, (room[0], room[1], room[0] + width, room[1] + height)


def _inked(
    chance: Chance,
    image: Image.Image,
    places: Placed,
    corner: tuple[int, int],
    ink: Colour,
    paper: Colour,
    manner: Manner,
) -> None:
    contrast = abs(luma(ink) - luma(paper))
    least = max(30.0, min(80.0, contrast))
    slope = any_colour(chance) if chance.maybe(0.08) and contrast > 90 else None
    thick = 1 if manner.size < 36 else chance.integer(1, 2)
    for i, (character, x, y) in enumerate(places):
        glyph = character
        colour = against(chance, paper, least) if manner.colourful else ink
        if slope and not manner.colourful:
            share = i / len(places) * 0.5
            mixed = [round(a + (b - a) * share) for a, b in zip(ink, slope, strict=True)]
            colour = (mixed[0], mixed[1], mixed[2])
        at = (corner[0] + x, corner[1] + y)
        if manner.fill == "hollow":
            glyph, at = outlined(glyph, thick), (at[0] - thick - 1, at[1] - thick - 1)
        elif manner.fill == "outline":
            edge = outlined(glyph, thick)
            image.paste(against(chance, colour, 50), (at[0] - thick - 1, at[1] - thick - 1), edge)
        elif manner.fill == "shadow":
            image.paste(near(chance, paper, 45), (at[0] + thick + 1, at[1] + thick), glyph)
        elif manner.fill == "speckled":
            keep = cloud(chance, glyph.size, chance.uniform(1.5, 4))[..., 0] > -0.35
            glyph = ImageChops.multiply(glyph, Image.fromarray((keep * 255).astype(np.uint8)))
        image.paste(colour, at, glyph)


def _disturbed(
    chance: Chance, image: Image.Image, box: tuple[int, int, int, int], ink: Colour, paper: Colour
) -> None:
    """Draw lines, arcs, curves, dots, rings and small letters."""
    pen = ImageDraw.Draw(image)
    height = box[3] - box[1]
    for _ in range(chance.weighted({0: 3, 1: 4, 2: 2, 3: 1})):
        colour = chance.pick((ink, ink, any_colour(chance), near(chance, paper, 40), paper))
        thick = max(1, round(height * chance.pick((0.015, 0.03, 0.05, 0.08))))
        what = chance.weighted(
            {"lines": 4, "arcs": 2, "curve": 3, "dots": 3, "rings": 0.7, "rules": 0.7, "haze": 0.8}
        )
        many = chance.maybe(0.4)
        if what in {"lines", "arcs"}:
            for _ in range(chance.integer(1, 7)):
                used = any_colour(chance) if many else colour
                _stroke(chance, pen, image.size, used, thick, what == "arcs")
        elif what == "curve":
            _curve(chance, pen, box, colour, max(1, round(thick * 1.2)))
        elif what == "dots":
            _dots(chance, pen, image.size, colour, thick, many)
        elif what == "rings":
            for _ in range(chance.integer(2, 12)):
                x, y = chance.integer(0, image.width), chance.integer(0, image.height)
                radius = height * chance.uniform(0.05, 0.4)
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour)
        elif what == "rules":
            step = max(5, round(height * chance.uniform(0.15, 0.4)))
            for x in range(chance.integer(0, step), image.width, step):
                pen.line((x, 0, x + chance.integer(-2, 2), image.height), colour, 1)
        else:
            noise = cloud(chance, image.size, 1.5, 3) * chance.uniform(15, 60)
            image.paste(to_image(np.asarray(image, np.float32) + noise))


def _stroke(
    chance: Chance,
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    colour: Colour,
    thick: int,
    arc: bool,
) -> None:
    width, height = size
    x0, x1 = chance.integer(0, width), chance.integer(0, width)
    y0, y1 = chance.integer(0, height), chance.integer(0, height)
    if arc:
        box = (min(x0, x1), min(y0, y1), max(x0, x1) + 9, max(y0, y1) + 9)
        start = chance.uniform(0, 360)
        pen.arc(box, start, start + chance.uniform(60, 220), colour, thick)
    elif chance.maybe(0.4):
        pen.line((x0 // 4, y0, width - x1 // 4, y1), colour, thick)
    elif chance.maybe(0.3):
        bends = [(width * part // 3, chance.integer(0, height)) for part in range(4)]
        pen.line(bends, colour, thick, joint="curve")
    else:
        pen.line((x0, y0, x1, y1), colour, thick)


def _curve(
    chance: Chance,
    pen: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    colour: Colour,
    thick: int,
) -> None:
    """Draw a wave along the text."""
    left, top, right, bottom = box
    height = bottom - top
    x = np.linspace(left - chance.uniform(-0.5, 0.5) * height, right, 24)
    middle = top + height * chance.uniform(0.3, 0.7)
    swing = height * chance.uniform(0.05, 0.4)
    y = middle + swing * np.sin(x / height * chance.uniform(0.4, 2.5) + chance.uniform(0, 6.3))
    pen.line(
        [(float(a), float(b)) for a, b in zip(x, y, strict=True)], colour, thick, joint="curve"
    )


def _dots(
    chance: Chance,
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    colour: Colour,
    thick: int,
    many: bool,
) -> None:
    for _ in range(round(size[0] * size[1] / 1000 * chance.log_uniform(2, 14))):
        x, y = chance.integer(0, size[0]), chance.integer(0, size[1])
        radius = chance.uniform(0, thick * 0.6)
        used = any_colour(chance) if many else colour
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=used)


def _cropped(
    chance: Chance, image: Image.Image, box: tuple[int, int, int, int], height: float
) -> Scene:
    """Take the whole image mostly, as captchas come; else a crop around the text."""
    if chance.maybe(0.2):
        return Scene(image, box, (0.0, 0.15), 0.7, height)
    if chance.maybe(0.05):
        image = image.filter(ImageFilter.SMOOTH)
    return Scene(image, box, None, 0, height)
