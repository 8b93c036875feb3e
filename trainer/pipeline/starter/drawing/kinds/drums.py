"""Counters with drums: digits in windows, some of them on the way to the next."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trainer.pipeline.starter.drawing import texts
from trainer.pipeline.starter.drawing.chance import Chance
from trainer.pipeline.starter.drawing.fonts.fonts import Fonts
from trainer.pipeline.starter.drawing.grounds import Colour, any_colour, ground, near, two_colours
from trainer.pipeline.starter.drawing.lines import Scene

FONTS = {"sans": 60, "mono": 12, "plate": 18, "ocr": 4, "serif": 4, "typewriter": 2}
FURTHEST = 0.38
"""How far a drum may be turned, in digits; near 0.5 nobody knows which digit is meant."""


@dataclass(frozen=True)
class Drum:
    """How the drums of a counter look; sizes in pixels."""

    font: ImageFont.FreeTypeFont
    width: int
    height: int
    pitch: float
    across: float
    ink: Colour
    paper: Colour


def counter(chance: Chance, fonts: Fonts) -> tuple[str, Scene]:
    """Draw a counter of 3 to 9 drums."""
    text = texts.digits(chance, chance.weighted({3: 1, 4: 2, 5: 6, 6: 3, 7: 2, 8: 2, 9: 0.5}))
    if chance.maybe(0.45):
        zeros = chance.integer(1, min(3, len(text) - 1))
        text = "0" * zeros + text[zeros:]
    drum = _drum(chance, fonts)
    last_red = chance.integer(1, 3) if chance.maybe(0.3) else 0
    gap = chance.pick((0, 1, 2, round(drum.width * chance.uniform(0.05, 0.5))))
    step = drum.width + gap
    room = round(drum.height * 0.5)
    frame = near(chance, (40, 40, 42), 30) if chance.maybe(0.5) else any_colour(chance)
    size = (step * len(text) - gap + 2 * room, drum.height + 2 * room)
    image = ground(chance, size, frame)
    shade = chance.uniform(0, 0.5) if chance.maybe(0.6) else 0.0
    edged = chance.maybe(0.4)
    offsets = _offsets(chance, len(text))
    red = (
        (near(chance, (190, 30, 35), 20), drum.paper)
        if chance.maybe(0.5)
        else ((245, 240, 240), near(chance, (180, 30, 35), 15))
    )
    for i, digit in enumerate(text):
        colours = red if i >= len(text) - last_red else (drum.ink, drum.paper)
        window = _window(chance, drum, int(digit), offsets[i], colours)
        if shade:
            window = _rounded(window, shade)
        x = room + i * step
        image.paste(window, (x, room))
        if edged:
            box = (x, room, x + drum.width - 1, room + drum.height - 1)
            ImageDraw.Draw(image).rectangle(box, outline=near(chance, frame, 20))
    if chance.maybe(0.25):
        _ticks(chance, image, (room, step, len(text)), drum)
    box = (room, room, room + step * len(text) - gap, room + drum.height)
    _beside(chance, fonts, image, box, drum)
    return text, Scene(
        image, box, (chance.uniform(-0.05, 0.05), chance.uniform(0.05, 0.4)), tilt=1.5
    )


def _offsets(chance: Chance, count: int) -> list[float]:
    """Return how far each drum is turned, in digits: all a bit, the last or another on its way."""
    common = chance.uniform(-0.16, 0.16) if chance.maybe(0.4) else 0.0
    turned = chance.maybe(0.6)
    offsets = []
    for i in range(count):
        offset = common + chance.normal(0.03)
        if turned and (i == count - 1 or chance.maybe(0.08)):
            offset = chance.uniform(-FURTHEST, FURTHEST)
        offsets.append(offset)
    return offsets


def _ticks(chance: Chance, image: Image.Image, places: tuple[int, int, int], drum: Drum) -> None:
    """Draw the teeth of the drums between the digits; places are the first, the step, how many."""
    first, step, count = places
    pen = ImageDraw.Draw(image)
    colour = near(chance, drum.ink, 30)
    teeth = chance.integer(2, 5)
    long, thick = drum.height / teeth * chance.uniform(0.2, 0.6), chance.integer(1, 2)
    for i in range(1, count):
        x, start = first + i * step, first + chance.uniform(0, long)
        for tooth in range(teeth):
            y = start + tooth * drum.height / teeth
            pen.line((x, y, x, y + long), colour, thick)


def _drum(chance: Chance, fonts: Fonts) -> Drum:
    size = round(chance.log_uniform(22, 48))
    font = fonts.open(fonts.choose(chance, FONTS), size)
    across = chance.log_uniform(0.7, 1.15)
    left, top, right, bottom = font.getbbox("0", anchor="ls")
    tall = bottom - top
    ink, paper = chance.pick(
        (
            ((30, 30, 32), (225, 225, 222)),
            ((235, 235, 235), (25, 25, 28)),
            ((30, 34, 30), (150, 180, 120)),
            ((40, 40, 42), (180, 182, 185)),
        )
    )
    if chance.maybe(0.25):
        ink, paper = two_colours(chance)
    return Drum(
        font,
        round((right - left) * across * chance.uniform(1.2, 2)),
        round(tall * chance.uniform(1.02, 1.6)),
        tall * chance.uniform(1.15, 1.6),
        across,
        near(chance, ink, 12),
        near(chance, paper, 12),
    )


def _window(
    chance: Chance, drum: Drum, digit: int, offset: float, colours: tuple[Colour, Colour]
) -> Image.Image:
    """Draw a digit turned by `offset`, and its neighbours as far as they can be seen."""
    wide = round(drum.width / drum.across)
    window = Image.new("RGB", (max(4, wide), drum.height), near(chance, colours[1], 4))
    pen = ImageDraw.Draw(window)
    _, top, _, bottom = drum.font.getbbox("0", anchor="ls")
    middle = drum.height / 2 - (top + bottom) / 2 + offset * drum.pitch
    for step in (-1, 0, 1):
        at = (wide / 2, middle + step * drum.pitch)
        pen.text(at, str((digit + step) % 10), colours[0], drum.font, anchor="ms")
    return window.resize((drum.width, drum.height), Image.Resampling.BILINEAR)


def _rounded(window: Image.Image, shade: float) -> Image.Image:
    """Darken a window towards its upper and lower edge."""
    rows = np.linspace(-1, 1, window.height, dtype=np.float32) ** 2
    pixels = np.asarray(window, np.float32) * (1 - shade * rows)[:, None, None]
    return Image.fromarray(pixels.astype(np.uint8))


def _beside(
    chance: Chance, fonts: Fonts, image: Image.Image, box: tuple[int, int, int, int], drum: Drum
) -> None:
    """Write the unit beside the counter, and put screws around it."""
    pen = ImageDraw.Draw(image)
    if chance.maybe(0.25):
        font = fonts.open(fonts.choose(chance, {"sans": 1}, "l"), max(8, round(drum.height * 0.35)))
        at = (box[2] + drum.height * 0.15, float(box[3]))
        pen.text(
            at,
            chance.pick(("m³", "kWh", "km", "gal")),
            near(chance, (230, 230, 230), 30),
            font,
            anchor="ls",
        )
    if chance.maybe(0.15):
        for x in (box[0] - drum.height * 0.25, box[2] + drum.height * 0.25):
            y, radius = (box[1] + box[3]) / 2, drum.height * 0.12
            pen.ellipse(
                (x - radius, y - radius, x + radius, y + radius), near(chance, (130, 130, 130), 40)
            )
