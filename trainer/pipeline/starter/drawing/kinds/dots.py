"""Characters made of dots, as on matrix displays and ticket printers."""

from PIL import Image, ImageDraw

from trainer.pipeline.starter.drawing.chance import Chance
from trainer.pipeline.starter.drawing.fonts.fonts import Fonts

COLUMNS = bytes.fromhex(
    "000000000000005f00000007000700147f147f14242a7f2a12231308646236495620500008070300001c224100"
    "0041221c002a1c7f1c2a08083e080800807030000808080808000060600020100804023e5149453e00427f4000"
    "72494949462141494d331814127f1027454545393c4a49493141211109073649494936464949291e0000140000"
    "004034000000081422411414141414004122140802015909063e415d594e7c1211127c7f494949363e41414122"
    "7f4141413e7f494949417f090909013e414151737f0808087f00417f41002040413f017f081422417f40404040"
    "7f021c027f7f0408107f3e4141413e7f090909063e4151215e7f09192946264949493203017f01033f4040403f"
    "1f2040201f3f4038403f631408146303047804036159494d43007f4141410204081020004141417f0402010204"
    "4040404040000307080020545478407f284444383844444428384444287f385454541800087e090218a4a49c78"
    "7f0804047800447d40002040403d007f1028440000417f40007c047804787c080404783844444438fc18242418"
    "18242418fc7c08040408485454542404043f44243c4040207c1c2040201c3c4030403c44281028444c9090907c"
    "4464544c440008364100000077000000413608000201020402"
)
"""The usual 5x7 characters from the space to ~, five columns each, the lowest bit on top."""


def dotted(
    chance: Chance, fonts: Fonts, text: str, ghosts: bool
) -> tuple[Image.Image, Image.Image | None]:
    """Return the dots that are lit, and all of them if those that are not can be seen."""
    small = _usual(text) if text.isascii() and chance.maybe(0.6) else _small(chance, fonts, text)
    pitch = chance.integer(3, 6)
    tile = Image.new("L", (pitch, pitch))
    gap = chance.pick((0, 1, 1, 1))
    dot = (0, 0, pitch - 1 - gap, pitch - 1 - gap)
    pen = ImageDraw.Draw(tile)
    (pen.ellipse if chance.maybe(0.5) and pitch > 3 else pen.rectangle)(dot, 255)
    size = (small.width * pitch, small.height * pitch)
    dots = Image.new("L", size)
    for x in range(0, size[0], pitch):
        dots.paste(tile, (x, 0))
    row = dots.crop((0, 0, size[0], pitch))
    for y in range(0, size[1], pitch):
        dots.paste(row, (0, y))
    lit = Image.new("L", size)
    lit.paste(dots, (0, 0), small.resize(size, Image.Resampling.NEAREST))
    return lit, dots if ghosts else None


def _usual(text: str) -> Image.Image:
    """Set a text in the 5x7 characters, a pixel for each dot."""
    image = Image.new("L", (6 * len(text), 8))
    pixels = image.load()
    for i, character in enumerate(text):
        start = 5 * (ord(character) - 32)
        for x, column in enumerate(COLUMNS[start : start + 5]):
            for y in range(8):
                if pixels is not None and column >> y & 1:
                    pixels[6 * i + x, y] = 255
    return image.crop(image.getbbox() or (0, 0, 5, 7))


def _small(chance: Chance, fonts: Fonts, text: str) -> Image.Image:
    """Set a text in a small font without smoothing."""
    face = fonts.choose(chance, {"dots": 3, "sans": 0.4, "mono": 0.6}, "l")
    font = fonts.open(face, chance.integer(10, 13))
    left, top, right, bottom = (int(edge) for edge in font.getbbox(text))
    small = Image.new("1", (right - left + 4, bottom - top + 4))
    pen = ImageDraw.Draw(small)
    pen.fontmode = "1"
    pen.text((2 - left, 2 - top), text, 1, font)
    return small.crop(small.getbbox() or (0, 0, 3, 3)).convert("L")
