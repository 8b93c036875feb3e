"""Draws lines of all kinds."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from trainer.pipeline.starter.drawing.chance import Chance
from trainer.pipeline.starter.drawing.faults import with_faults
from trainer.pipeline.starter.drawing.fonts.fonts import Fonts
from trainer.pipeline.starter.drawing.kinds.captchas import captcha
from trainer.pipeline.starter.drawing.kinds.displays import display
from trainer.pipeline.starter.drawing.kinds.drums import counter
from trainer.pipeline.starter.drawing.kinds.nothing import nothing
from trainer.pipeline.starter.drawing.kinds.plates import plate
from trainer.pipeline.starter.drawing.kinds.print import (
    handwritten,
    old_print,
    printed,
    receipt,
    typewritten,
)
from trainer.pipeline.starter.drawing.lines import Scene, photographed

Kind = Callable[[Chance, Fonts], tuple[str, Scene]]

KINDS: dict[str, Kind] = {
    "print": printed,
    "old print": old_print,
    "captcha": captcha,
    "plate": plate,
    "display": display,
    "counter": counter,
    "typewriter": typewritten,
    "receipt": receipt,
    "handwriting": handwritten,
    "nothing": nothing,
}
SHARES = {
    "print": 18.0,
    "old print": 4.0,
    "captcha": 26.0,
    "plate": 16.0,
    "display": 9.0,
    "counter": 7.0,
    "typewriter": 5.0,
    "receipt": 7.0,
    "handwriting": 5.0,
    "nothing": 3.0,
}


@dataclass(frozen=True)
class Drawn:
    """A line as drawn: its text (NFC, empty if there is none), its image (RGB), its kind."""

    text: str
    image: Image.Image
    kind: str


class Drawer:
    """Draws lines without end; equal seeds and fonts give equal images."""

    def __init__(self, seed: int, fonts: Fonts | None = None) -> None:
        self._chance = Chance(seed)
        self._fonts = fonts or Fonts()

    def draw(self, kind: str | None = None) -> Drawn:
        """Return a line of a kind, of any by their shares unless one is named."""
        kind = kind or self._chance.weighted(SHARES)
        text, scene = KINDS[kind](self._chance, self._fonts)
        image, height = photographed(self._chance, scene)
        image = with_faults(self._chance, image, height)
        return Drawn(unicodedata.normalize("NFC", text), image, kind)
