"""Displays: seven and fourteen segments, matrices of dots; LCD and LED, dark and in the sun."""

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter

from trainer.pipeline.starter.drawing import texts
from trainer.pipeline.starter.drawing.chance import Chance
from trainer.pipeline.starter.drawing.fonts.fonts import Fonts
from trainer.pipeline.starter.drawing.grounds import Colour, ground, luma, near, two_colours
from trainer.pipeline.starter.drawing.kinds.dots import dotted
from trainer.pipeline.starter.drawing.lines import Scene, set_line, stretched

Point = tuple[float, float]

SEVEN = {
    "0": "abcdef", "1": "bc", "2": "abdeg", "3": "abcdg", "4": "bcfg", "5": "acdfg", "6": "acdefg",
    "7": "abc", "8": "abcdefg", "9": "abcdfg", "-": "g", "A": "abcefg", "C": "adef", "E": "adefg",
    "F": "aefg", "H": "bcefg", "L": "def", "P": "abefg", "U": "bcdef", " ": "",
}  # fmt: skip
FOURTEEN = {
    "0": "abcdefjm", "1": "bcj", "2": "abdegh", "3": "abcdh", "4": "bcfgh", "5": "acdfgh",
    "6": "acdefgh", "7": "abc", "8": "abcdefgh", "9": "abcdfgh", "-": "gh", "+": "ghkn",
    "A": "abcefgh", "B": "abcdhkn", "C": "adef", "D": "abcdkn", "E": "adefgh", "F": "aefgh",
    "G": "acdefh", "H": "bcefgh", "I": "adkn", "J": "bcde", "K": "efgjl", "L": "def", "M": "bcefij",
    "N": "bcefil", "O": "abcdef", "P": "abefgh", "Q": "abcdefl", "R": "abefghl", "S": "acdfgh",
    "T": "akn", "U": "bcdef", "V": "efjm", "W": "bceflm", "X": "ijlm", "Y": "ijn", "Z": "adjm",
    " ": "", "/": "jm", "*": "ghijklmn",
}  # fmt: skip
LCD: tuple[tuple[Colour, Colour], ...] = (
    ((25, 30, 28), (150, 165, 135)),
    ((30, 35, 40), (185, 195, 190)),
    ((20, 25, 20), (130, 150, 90)),
    ((40, 45, 60), (120, 140, 160)),
    ((15, 20, 30), (90, 150, 200)),
    ((60, 65, 60), (160, 170, 150)),
    ((235, 240, 245), (40, 70, 160)),
)
LED: tuple[tuple[Colour, Colour], ...] = (
    ((250, 50, 40), (25, 8, 8)),
    ((255, 80, 60), (60, 15, 15)),
    ((60, 240, 90), (8, 22, 12)),
    ((90, 200, 255), (8, 14, 28)),
    ((255, 190, 60), (22, 15, 6)),
    ((245, 245, 250), (12, 12, 16)),
    ((255, 230, 220), (150, 20, 20)),
)
UNITS = ("kg", "kWh", "m³", "°C", "V", "mmHg", "%", "L", "km/h", "lb", "Hz")


@dataclass(frozen=True)
class Segments:
    """The shape of a digit of segments; lengths in parts of its height."""

    height: int
    width: float
    thick: float
    gap: float
    bevel: float
    fourteen: bool


PATTERNS = (
    "9", "99", "999", "9999", "99999", "999999", "9999999", "99999999", "9.9", "99.9", "999.9",
    "9.99", "99.99", "9.999", "9999.9", "99999.9", "99:99", "99:99:99", "9:99", "-9.9", "-99",
    "0.99", "0.999", "00999", "000999", "12:99", "99-99", "0999.99", "99999.99",
)  # fmt: skip
"""What displays show, 9 for any digit."""


def display(chance: Chance, fonts: Fonts) -> tuple[str, Scene]:
    """Draw a display of some technique."""
    how = chance.weighted({"seven": 5, "fourteen": 1.2, "dots": 2, "font": 2})
    text = texts.filled(chance, chance.pick(PATTERNS))
    if how in {"fourteen", "dots"} and chance.maybe(0.6):
        text = texts.bounded(
            "".join(chance.pick(texts.UPPER + texts.DIGITS) for _ in range(chance.integer(1, 9)))
        )
        if chance.maybe(0.4):
            text = texts.phrase(chance, 14, {"en": 1}).upper()
            text = "".join(c for c in text if c in FOURTEEN).strip() or "ON"
    elif how == "seven" and chance.maybe(0.06):
        text = "".join(chance.pick("0123456789ACEFHLPU") for _ in range(chance.integer(2, 5)))
    lit, unlit = _ink(chance, fonts, how, text)
    if how != "seven" or chance.maybe(0.4):
        across = chance.log_uniform(0.75, 1.25)
        lit = stretched(lit, across)
        unlit = stretched(unlit, across) if unlit else None
    return text, _shown(chance, fonts, lit, unlit)


def _ink(
    chance: Chance, fonts: Fonts, how: str, text: str
) -> tuple[Image.Image, Image.Image | None]:
    """Return what is lit, and what could be (None if it cannot be seen)."""
    ghosts = chance.maybe(0.35)
    if how == "font":
        face = fonts.choose(chance, {"segment": 1})
        font = fonts.open(face, round(chance.log_uniform(24, 52)))
        if face.kind == "segment":
            return set_line(font, text, font.size * chance.pick((0, 0, 0.1))), None
        how = "dots"
    if how == "dots":
        return dotted(chance, fonts, text, ghosts)
    lean = chance.pick((0, 0, 0.08, 0.14, 0.2))
    shape = Segments(
        height=round(chance.log_uniform(22, 56)),
        width=chance.uniform(0.42, 0.72),
        thick=chance.uniform(0.07, 0.19),
        gap=chance.pick((0, 0.01, 0.02, 0.035)),
        bevel=chance.pick((0, 0.5, 0.5, 0.5)),
        fourteen=how == "fourteen",
    )
    spacing = chance.uniform(0.12, 0.4)
    variant = chance.integer(0, 7)
    lit = _segmented(text, shape, spacing, lean, variant)
    if not ghosts:
        return _cut(lit, lit), None
    eights = "".join("*" if c.isalnum() or c in " -" else c for c in text)
    unlit = _segmented(eights, shape, spacing, lean, variant)
    return _cut(lit, unlit), _cut(unlit, unlit)


def _cut(image: Image.Image, to: Image.Image) -> Image.Image:
    return image.crop(to.getbbox() or (0, 0, 8, 8))


def _segmented(
    text: str, shape: Segments, spacing: float, lean: float, variant: int
) -> Image.Image:
    """Draw characters in segments, twice as large as wanted, and halve them."""
    height = 2.0 * shape.height
    width, thick = shape.width * height, shape.thick * height
    step = width + spacing * height
    image = Image.new("L", (round(step * len(text) + height), round(height * 1.1)))
    pen = ImageDraw.Draw(image)
    polygons = _polygons(shape, width, height, thick)
    x, top = height * 0.35, height * 0.05
    for character in text:
        if character in ".:":
            heights = (height - thick / 2,) if character == "." else (height * 0.3, height * 0.7)
            centre = x - spacing * height / 2 + thick * 0.1
            if character == ":":
                centre, x = x + thick / 2, x + thick + spacing * height
            for y in heights:
                at = centre - lean * (y - height / 2)
                half = thick * 0.55
                box = (at - half, top + y - half, at + half, top + y + half)
                (pen.ellipse if variant & 4 else pen.rectangle)(box, 255)
            continue
        for segment in _lit(character, shape.fourteen, variant):
            points = [(x + px - lean * (py - height / 2), top + py) for px, py in polygons[segment]]
            pen.polygon(points, 255)
        x += step
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)


def _lit(character: str, fourteen: bool, variant: int) -> str:
    """Return the segments of a character; 6, 7 and 9 have two forms, * stands for all of them."""
    if fourteen:
        return FOURTEEN.get(character, "abcdef")
    if character == "*":
        return "abcdefg"
    segments = SEVEN[character]
    if character in "69" and variant & 1:
        segments = segments.replace("a" if character == "6" else "d", "")
    if character == "7" and variant & 2:
        segments += "f"
    return segments


def _polygons(shape: Segments, width: float, height: float, thick: float) -> dict[str, list[Point]]:
    """Return the corners of each segment; with 14 of them g and h are the halves of the middle."""
    gap, tip = shape.gap * height, thick * shape.bevel
    half, middle = thick / 2, height / 2

    def across(x0: float, x1: float, y: float) -> list[Point]:
        x0, x1 = x0 + gap, x1 - gap
        return [
            (x0, y), (x0 + tip, y - half), (x1 - tip, y - half),
            (x1, y), (x1 - tip, y + half), (x0 + tip, y + half),
        ]  # fmt: skip

    def down(x: float, y0: float, y1: float) -> list[Point]:
        y0, y1 = y0 + gap, y1 - gap
        return [
            (x, y0), (x + half, y0 + tip), (x + half, y1 - tip),
            (x, y1), (x - half, y1 - tip), (x - half, y0 + tip),
        ]  # fmt: skip

    left, right, low, centre = half, width - half, height - half, width / 2
    polygons = {
        "a": across(left, right, half), "d": across(left, right, low),
        "f": down(left, half, middle), "e": down(left, middle, low),
        "b": down(right, half, middle), "c": down(right, middle, low),
        "g": across(left, right, middle),
    }  # fmt: skip
    if shape.fourteen:
        polygons |= {
            "g": across(left, centre, middle), "h": across(centre, right, middle),
            "k": down(centre, half, middle), "n": down(centre, middle, low),
        }  # fmt: skip
        polygons |= _slopes(width, height, thick)
    return polygons


def _slopes(width: float, height: float, thick: float) -> dict[str, list[Point]]:
    """Return the corners of the four segments that lie aslant."""
    middle, left, right = height / 2, thick * 1.6, width - thick * 1.6
    before, after = width / 2 - thick / 2, width / 2 + thick / 2
    above, below, half = middle - thick / 2, middle + thick / 2, thick * 0.275
    ends = {
        "i": (left, thick, before, above),
        "j": (right, thick, after, above),
        "m": (before, below, left, height - thick),
        "l": (after, below, right, height - thick),
    }
    return {
        name: [(x0 - half, y0), (x0 + half, y0), (x1 + half, y1), (x1 - half, y1)]
        for name, (x0, y0, x1, y1) in ends.items()
    }


def _shown(chance: Chance, fonts: Fonts, lit: Image.Image, unlit: Image.Image | None) -> Scene:
    """Put what is lit behind glass, with glow, units beside it and a frame around it."""
    bright = chance.maybe(0.45)
    ink, paper = chance.pick(LED if bright else LCD)
    if chance.maybe(0.15):
        ink, paper = two_colours(chance)
    ink, paper = near(chance, ink, 12), near(chance, paper, 10)
    height = lit.height
    room = round(height * 0.9)
    image = ground(chance, (lit.width + 2 * room, height + 2 * room), paper, 0.7)
    box = (room, room, room + lit.width, room + height)
    if unlit:
        share = chance.uniform(0.04, 0.3) * (0.7 if luma(paper) < 60 else 1)
        image.paste(ink, (room, room), unlit.point(lambda level: round(level * share)))
    elif not bright and chance.maybe(0.3):
        shift = chance.integer(1, max(1, height // 14))
        image.paste(near(chance, paper, 25), (room + shift, room + shift), lit)
    if bright and chance.maybe(0.5):
        glow = Image.new("L", image.size)
        glow.paste(lit, (room, room))
        glow = glow.filter(ImageFilter.BoxBlur(height * chance.uniform(0.05, 0.2)))
        image.paste(ink, (0, 0), glow.point(lambda level: level * 2 // 3))
    image.paste(ink, (room, room), lit)
    if chance.maybe(0.2):
        font = fonts.open(
            fonts.choose(chance, {"sans": 1}, "l"),
            max(8, round(height * chance.uniform(0.25, 0.45))),
        )
        at = (box[2] + height * chance.uniform(0.2, 0.4), float(box[3]))
        ImageDraw.Draw(image).text(at, chance.pick(UNITS), near(chance, ink, 30), font, anchor="ls")
    if chance.maybe(0.25):
        edge = round(height * chance.uniform(0.15, 0.5))
        frame = (room - edge, room - edge, box[2] + edge, box[3] + edge)
        ImageDraw.Draw(image).rectangle(
            frame, outline=near(chance, (40, 40, 40), 30), width=chance.integer(1, 4)
        )
    margins = (chance.uniform(-0.03, 0.12), chance.uniform(0.05, 0.6))
    return Scene(image, box, margins, tilt=1.5)
