"""Draws text for pre-training, in many fonts, on many backgrounds, with many faults."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from trainer.pipeline.datasets.inputs.image_spec import STARTER_HEIGHT

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
MARKS = ".,:-/+#%&()*?!=@$"
CHARACTERS = DIGITS + LETTERS.upper() + LETTERS + MARKS
POOLS = (
    DIGITS,
    DIGITS + ".,:-",
    LETTERS,
    LETTERS.upper(),
    DIGITS + LETTERS,
    DIGITS + LETTERS.upper(),
    DIGITS + LETTERS + LETTERS.upper(),
    CHARACTERS,
)
"""Alphabets of real sets; each text is drawn from one of them."""

LONGEST = 10
HEIGHT, WIDTH = STARTER_HEIGHT, 192
GLYPH_SIZES = (22, 44)
"""Font sizes in pixels."""

Mask = NDArray[np.float32]


class Drawer:
    """Draws random texts; equal seeds and fonts give equal images."""

    def __init__(self, fonts: Sequence[Path], seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.fonts = [
            ImageFont.truetype(str(path), size)
            for path in fonts
            for size in range(GLYPH_SIZES[0], GLYPH_SIZES[1] + 1, 4)
        ]

    def draw(self) -> tuple[str, NDArray[np.uint8]]:
        """Return a text and its image, uint8 (HEIGHT, WIDTH)."""
        pool = POOLS[self.chance.integers(len(POOLS))]
        length = int(self.chance.integers(1, LONGEST + 1))
        text = "".join(self.chance.choice(list(pool), length))
        ink = self._warped(self._placed(self._line(text)))
        ink = np.minimum(ink + self._strokes(), 1)
        return text, self._printed(ink)

    def _maybe(self, probability: float) -> bool:
        return bool(self.chance.random() < probability)

    def _line(self, text: str) -> Image.Image:
        """Set the characters side by side: ink as mode L."""
        font = self.fonts[self.chance.integers(len(self.fonts))]
        mixed, tilted = self._maybe(0.2), self._maybe(0.4)
        jitter = int(self.chance.integers(0, 9)) if self._maybe(0.4) else 0
        gap = int(self.chance.integers(-3, 9)) if self._maybe(0.6) else 0
        line = Image.new("L", (80 * len(text) + 20, 96), 0)
        x = 10
        for character in text:
            if mixed:
                font = self.fonts[self.chance.integers(len(self.fonts))]
            advance = max(4, round(font.getlength(character)))
            glyph = Image.new("L", (advance + 16, 72), 0)
            ImageDraw.Draw(glyph).text((8, 52), character, fill=255, font=font, anchor="ls")
            if tilted:
                angle = float(self.chance.uniform(-25, 25))
                glyph = glyph.rotate(angle, Image.Resampling.BILINEAR)
            y = 12 + int(self.chance.integers(-jitter, jitter + 1))
            line.paste(255, (max(0, x - 8), y), glyph)
            x += max(4, advance + gap)
        return line.crop(line.getbbox() or (0, 0, 8, 8))

    def _placed(self, line: Image.Image) -> Mask:
        """Fit the line into the image: never larger than it, somewhere in it."""
        height = int(self.chance.integers(20, HEIGHT - 1))
        scale = height / max(line.height, 24)
        stretch = float(self.chance.uniform(0.8, 1.4))
        width = max(3, round(line.width * scale * stretch))
        room = WIDTH - 4
        if self._maybe(0.4):  # as in images that a text fills
            width = int(self.chance.uniform(0.75, 1) * room) if width > room / 3 else width
        width, height = min(width, room), max(3, round(line.height * scale))
        line = line.resize((width, height), Image.Resampling.BILINEAR)
        canvas = Image.new("L", (WIDTH, HEIGHT), 0)
        left = int(self.chance.integers(0, WIDTH - width + 1))
        canvas.paste(line, (left, int(self.chance.integers(0, HEIGHT - height + 1))))
        return np.asarray(canvas, np.float32) / np.float32(255)

    def _warped(self, ink: Mask) -> Mask:
        if not self._maybe(0.35):
            return ink
        columns = np.arange(WIDTH)
        wave = self.chance.uniform(0, 3) * np.sin(
            columns * self.chance.uniform(0.02, 0.12) + self.chance.uniform(0, 6.3)
        )
        rows = np.arange(HEIGHT)[:, None] + np.round(wave).astype(int)[None, :]
        return np.asarray(ink[np.clip(rows, 0, HEIGHT - 1), columns[None, :]])

    def _strokes(self) -> Mask:
        """Return lines, arcs and dots across the text: ink to be added."""
        canvas = Image.new("L", (WIDTH, HEIGHT), 0)
        pen = ImageDraw.Draw(canvas)
        if self._maybe(0.35):
            for _ in range(int(self.chance.integers(1, 4))):
                self._stroke(pen)
        if self._maybe(0.25):
            for _ in range(int(self.chance.integers(5, 60))):
                x, y = self.chance.integers(0, (WIDTH, HEIGHT))
                pen.ellipse((x, y, x + int(self.chance.integers(0, 3)), y + 1), fill=255)
        return np.asarray(canvas, np.float32) * np.float32(self.chance.uniform(0.4, 1) / 255)

    def _stroke(self, pen: ImageDraw.ImageDraw) -> None:
        thickness = int(self.chance.integers(1, 4))
        (x0, x1), (y0, y1) = self.chance.integers(0, WIDTH, 2), self.chance.integers(0, HEIGHT, 2)
        if self._maybe(0.5):
            pen.line((x0 // 3, y0, WIDTH - x1 // 3, y1), fill=255, width=thickness)
        else:
            box = (min(x0, x1), min(y0, y1), max(x0, x1) + 20, max(y0, y1) + 20)
            start = float(self.chance.uniform(0, 360))
            pen.arc(box, start, start + float(self.chance.uniform(60, 200)), 255, thickness)

    def _printed(self, ink: Mask) -> NDArray[np.uint8]:
        """Put the ink on a background, with the faults of cameras and printers."""
        contrast = float(self.chance.uniform(30, 230))
        dark = float(self.chance.uniform(0, 255 - contrast))
        ground = np.full((HEIGHT, WIDTH), dark + contrast, np.float32)
        if self._maybe(0.3):
            ground += np.linspace(-1, 1, WIDTH)[None, :] * self.chance.uniform(-0.3, 0.3) * contrast
        if self._maybe(0.2):
            ground += (
                np.linspace(-1, 1, HEIGHT)[:, None] * self.chance.uniform(-0.3, 0.3) * contrast
            )
        printed = ground + (dark - ground) * ink
        if self._maybe(0.3):
            printed = 255 - printed
        image = Image.fromarray(np.clip(printed, 0, 255).astype(np.uint8))
        if self._maybe(0.35):
            share = float(self.chance.uniform(0.35, 0.8))
            small = image.resize((round(WIDTH * share), round(HEIGHT * share)))
            image = small.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
        if self._maybe(0.35):
            image = image.filter(ImageFilter.GaussianBlur(float(self.chance.uniform(0.3, 1.3))))
        printed = np.asarray(image, np.float32)
        if self._maybe(0.5):
            spread = float(self.chance.uniform(0, 0.15)) * contrast
            printed = printed + self.chance.normal(0, spread, printed.shape)
        return np.asarray(np.clip(printed, 0, 255), np.uint8)
