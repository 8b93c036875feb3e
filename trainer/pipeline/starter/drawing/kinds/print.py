"""Print: books, signs, screens, old print, typewriters, receipts, fonts like handwriting."""

from PIL import Image, ImageDraw

from trainer.pipeline.starter.drawing import texts
from trainer.pipeline.starter.drawing.chance import Chance
from trainer.pipeline.starter.drawing.fonts.fonts import Fonts
from trainer.pipeline.starter.drawing.grounds import Colour, ground, near, two_colours
from trainer.pipeline.starter.drawing.lines import (
    Font,
    Scene,
    face_for,
    set_line,
    stretched,
    waved,
    worn,
)

PRINT = {
    "serif": 40,
    "sans": 40,
    "mono": 8,
    "display": 6,
    "handwriting": 2,
    "plate": 2,
    "typewriter": 2,
}
SCREEN = {"sans": 60, "mono": 20, "serif": 10, "dots": 6, "ocr": 4}
TYPEWRITER = {"typewriter": 80, "mono": 20}
RECEIPT = {"mono": 45, "typewriter": 15, "dots": 15, "sans": 20, "ocr": 5}
HANDWRITING = {"handwriting": 100}
OLD = {"blackletter": 55, "serif": 45}
OLD_LANGUAGES = {"de": 80.0, "en": 8.0, "fr": 6.0, "it": 6.0}
TYPED_LANGUAGES = {
    "en": 45.0,
    "fr": 25.0,
    "de": 12.0,
    "es": 6.0,
    "it": 4.0,
    "pt": 4.0,
    "pl": 2.0,
    "cs": 2.0,
}
PRICES = (
    "9.99",
    "99.99",
    "-9.99",
    "999.00",
    "$9.99",
    "9.99 T",
    "99 X 9.99",
    "9%",
    "9,99 EUR",
    "99/99/9999",
)


def scene_of(
    chance: Chance, ink: Image.Image, margins: tuple[float, float], colours: tuple[Colour, Colour]
) -> Scene:
    """Put ink on a ground, with room for a loose crop around it."""
    room = round(ink.height * (margins[1] + 0.5)) + 2
    size = (ink.width + 2 * room, ink.height + 2 * room)
    image = ground(chance, size, colours[1])
    image.paste(colours[0], (room, room), ink)
    return Scene(image, (room, room, room + ink.width, room + ink.height), margins)


def line_ink(chance: Chance, font: Font, text: str) -> Image.Image:
    """Set a text, at times wider, narrower or spaced."""
    spacing = 0.0
    if chance.maybe(0.25):
        spacing = font.size * chance.pick((-0.03, -0.05, 0.05, 0.1, 0.2, 0.4))
    ink = set_line(font, text, spacing)
    if chance.maybe(0.3):
        ink = stretched(ink, chance.log_uniform(0.72, 1.4))
    return ink


def printed(chance: Chance, fonts: Fonts) -> tuple[str, Scene]:
    """Words, numbers and codes in print."""
    text = texts.printed(chance)
    face, text = face_for(chance, fonts, SCREEN if chance.maybe(0.2) else PRINT, text)
    font = fonts.open(face, round(chance.log_uniform(16, 44)))
    ink = worn(chance, line_ink(chance, font, text))
    colours = two_colours(chance)
    scene = scene_of(chance, ink, (chance.uniform(-0.03, 0.12), chance.uniform(0.15, 0.7)), colours)
    if chance.maybe(0.22):
        _neighbours(chance, scene, font, colours[0])
    if chance.maybe(0.04):
        left, _, right, bottom = scene.box
        thick = chance.integer(1, 2)
        scene.image.paste(colours[0], (left, bottom + 1, right, bottom + 1 + thick))
    return text, scene


def _neighbours(chance: Chance, scene: Scene, font: Font, ink: Colour) -> None:
    """Draw the lines above and below, of which a crop shows the edges."""
    left, top, right, _ = scene.box
    pitch = round(font.size * chance.uniform(1.05, 1.5))
    characters = "gjpqyABdfhkl tieasno,;"
    count = max(2, round((right - left) / (font.size * 0.5)))
    for step in chance.pick(((-pitch,), (pitch,), (-pitch, pitch))):
        text = "".join(chance.pick(characters) for _ in range(count)).strip() or "g"
        neighbour = set_line(font, text)
        y = top + step
        scene.image.paste(ink, (left - chance.integer(0, 20), y), neighbour)


def old_print(chance: Chance, fonts: Fonts) -> tuple[str, Scene]:
    """Old books: blackletter or old faces, long s, scans of two levels."""
    tongue = chance.maybe(0.85)
    text = texts.phrase(chance, languages=OLD_LANGUAGES) if tongue else texts.number(chance)
    kind = chance.weighted(OLD)
    if kind == "blackletter" and text.isupper():  # capitals alone were never set in it
        text = text.capitalize()
    if chance.maybe(0.7):
        text = texts.long_s(text)
    face, text = face_for(chance, fonts, {kind: 1}, text)
    font = fonts.open(face, round(chance.log_uniform(20, 48)))
    ink = set_line(font, text, font.size * chance.pick((0, 0, 0, 0.03, 0.15)))
    ink = worn(chance, ink)
    if chance.maybe(0.4):
        ink = worn(chance, ink)
    if chance.maybe(0.5):
        edge = chance.integer(70, 170)
        ink = ink.point([0 if level < edge else 255 for level in range(256)])
    paper = (near(chance, (25, 22, 20), 15), near(chance, (238, 230, 212), 12))
    colours = paper if chance.maybe(0.6) else two_colours(chance)
    scene = scene_of(chance, ink, (-0.02, chance.uniform(0.1, 0.4)), colours)
    if chance.maybe(0.2):
        _neighbours(chance, scene, font, colours[0])
    return text, scene


def typewritten(chance: Chance, fonts: Fonts) -> tuple[str, Scene]:
    """Typewriters: fixed pitch, uneven ink, characters off the line, ribbons of some colours."""
    if chance.maybe(0.82):
        text = texts.phrase(chance, languages=TYPED_LANGUAGES)
    else:
        text = texts.bounded(texts.number(chance))
    face, text = face_for(chance, fonts, TYPEWRITER, text)
    font = fonts.open(face, round(chance.log_uniform(18, 42)))
    ink = worn(chance, _struck(chance, font, text))
    paper = near(
        chance,
        chance.pick(
            ((240, 238, 230), (225, 220, 200), (215, 200, 170), (220, 130, 140), (200, 205, 215))
        ),
        8,
    )
    ribbon = near(
        chance,
        chance.pick(((40, 40, 45), (70, 70, 75), (110, 105, 140), (90, 60, 60), (60, 60, 110))),
        15,
    )
    scene = scene_of(
        chance, ink, (chance.uniform(0, 0.2), chance.uniform(0.2, 0.8)), (ribbon, paper)
    )
    if chance.maybe(0.2):
        _neighbours(chance, scene, font, ribbon)
    return text, scene


def _struck(chance: Chance, font: Font, text: str) -> Image.Image:
    """Strike each character with a force of its own, somewhat off its place."""
    pitch = font.getlength("n") * chance.uniform(0.95, 1.12)
    size = float(font.size)
    ink = Image.new("L", (round(pitch * len(text) + size * 2), round(size * 2)))
    jitter, force = chance.uniform(0, 0.035) * size, chance.uniform(0, 0.5)
    for i, character in enumerate(text):
        if character == " ":
            continue
        mask = font.getmask(character, "L")
        glyph = (
            Image.frombytes("L", mask.size, bytes(mask)) if mask.size[0] and mask.size[1] else None
        )
        if glyph is None:
            continue
        left, top, _, _ = font.getbbox(character, anchor="ls")
        x = round(size / 2 + i * pitch + left + chance.normal(jitter))
        y = round(size * 1.4 + top + chance.normal(jitter))
        strength = round(255 * (1 - force * chance.uniform(0, 1)))
        ink.paste(strength, (x, y), glyph)
    return ink.crop(ink.getbbox() or (0, 0, 4, 8))


def receipt(chance: Chance, fonts: Fonts) -> tuple[str, Scene]:
    """Receipts: thermal and matrix printers, capitals, prices, faded paper."""
    text = receipt_text(chance)
    face, text = face_for(chance, fonts, RECEIPT, text)
    font = fonts.open(face, round(chance.log_uniform(15, 36)))
    spacing = font.size * chance.pick((0, 0, 0, -0.04, 0.05, 0.12))
    ink = stretched(set_line(font, text, spacing), chance.log_uniform(0.65, 1.3))
    if chance.maybe(0.25):
        ink = _rows_of_dots(chance, ink)
    ink = worn(chance, ink)
    faded = chance.pick((20, 50, 80, 110))
    paper = near(chance, chance.pick(((250, 250, 250), (235, 235, 238), (240, 232, 215))), 6)
    colours = (near(chance, (faded, faded, faded + 8), 12), paper)
    scene = scene_of(chance, ink, (chance.uniform(-0.02, 0.15), chance.uniform(0.15, 0.6)), colours)
    if chance.maybe(0.2):
        _neighbours(chance, scene, font, colours[0])
    return text, scene


def receipt_text(chance: Chance) -> str:
    """Return what stands in a line of a receipt."""
    what = chance.weighted({"price": 3, "item": 4, "pair": 3, "number": 2, "filled": 0.4})
    price = texts.filled(chance, chance.pick(PRICES))
    languages = {"en": 80.0, "de": 8.0, "fr": 4.0, "es": 8.0}
    words = texts.phrase(chance, chance.integer(3, 28), languages)
    if chance.maybe(0.75):
        words = words.replace("ß", "ss").upper()
    if what == "price":
        return price
    if what == "item":
        return texts.bounded(words)
    if what == "pair":
        join = chance.pick((" ", ": ", " : ", ":", " - ", " = ", " # ", "  "))
        return texts.bounded(words[:20].strip() + join + price).replace("  ", " ")
    if what == "filled":
        return texts.bounded(words[:14] + chance.pick(".-*=_") * chance.integer(3, 16))
    return texts.bounded(texts.number(chance))


def _rows_of_dots(chance: Chance, ink: Image.Image) -> Image.Image:
    """Leave rows or columns out, as worn heads of printers do."""
    ink = ink.copy()
    step = max(3, round(ink.height / chance.integer(7, 12)))
    for y in range(chance.integer(0, step), ink.height, step):
        ink.paste(
            chance.integer(0, 60), (0, y, ink.width, y + 1), ink.crop((0, y, ink.width, y + 1))
        )
    return ink


def handwritten(chance: Chance, fonts: Fonts) -> tuple[str, Scene]:
    """Fonts like handwriting, on lines or not."""
    text = (
        texts.phrase(chance, chance.integer(4, 26))
        if chance.maybe(0.75)
        else texts.printed(chance, 16)
    )
    face, text = face_for(chance, fonts, HANDWRITING, text)
    font = fonts.open(face, round(chance.log_uniform(22, 52)))
    ink = _by_hand(chance, font, text) if chance.maybe(0.6) else line_ink(chance, font, text)
    if chance.maybe(0.4):
        ink = _slanted(chance, ink)
    if chance.maybe(0.5):
        ink = waved(ink, chance, chance.uniform(0.01, 0.05))
    ink = worn(chance, ink)
    colours = two_colours(chance)
    scene = scene_of(chance, ink, (chance.uniform(-0.02, 0.1), chance.uniform(0.1, 0.7)), colours)
    if chance.maybe(0.15):
        y = scene.box[3] - round(ink.height * chance.uniform(0, 0.3))
        scene.image.paste(near(chance, colours[1], 40), (0, y, scene.image.width, y + 1))
    return text, scene


def _by_hand(chance: Chance, font: Font, text: str) -> Image.Image:
    """Set each character a bit larger or smaller, turned, off the line, near to the next or far."""
    size = float(font.size)
    ink = Image.new("L", (round((size * 0.9 + 4) * len(text) + size * 2), round(size * 2.4)))
    uneven, tilt = chance.uniform(0, 0.14), chance.uniform(0, 7)
    drift, x = chance.normal(0.015), size / 2
    gap = size * chance.uniform(-0.02, 0.12)
    for character in text:
        share = 1 + chance.uniform(-uneven, uneven)
        left, top, right, bottom = (int(edge) for edge in font.getbbox(character, anchor="ls"))
        if character != " " and right > left and bottom > top:
            glyph = Image.new("L", (right - left + 4, bottom - top + 4))
            ImageDraw.Draw(glyph).text((2 - left, 2 - top), character, 255, font, anchor="ls")
            larger = (max(3, round(glyph.width * share)), max(3, round(glyph.height * share)))
            glyph = glyph.resize(larger, Image.Resampling.BILINEAR)
            angle = chance.uniform(-tilt, tilt)
            glyph = glyph.rotate(angle, Image.Resampling.BILINEAR, expand=True)
            y = 1.5 * size + bottom * share - glyph.height + x * drift + chance.normal(0.02) * size
            ink.paste(255, (round(x + left), round(y)), glyph)
        x += (font.getlength(character) + gap) * share
    return ink.crop(ink.getbbox() or (0, 0, 4, 8))


def _slanted(chance: Chance, ink: Image.Image) -> Image.Image:
    lean = chance.uniform(-0.15, 0.4)
    extra = round(abs(lean) * ink.height)
    size = (ink.width + extra, ink.height)
    shift = -extra if lean > 0 else 0
    return ink.transform(
        size, Image.Transform.AFFINE, (1, lean, shift, 0, 1, 0), Image.Resampling.BILINEAR
    )
