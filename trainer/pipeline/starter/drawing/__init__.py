"""Drawn lines of text for pre-training: kinds, fonts and faults as real images have them."""

from trainer.pipeline.starter.drawing.drawer import KINDS, Drawer, Drawn
from trainer.pipeline.starter.drawing.fonts.fonts import Fonts
from trainer.pipeline.starter.drawing.texts import CHARACTERS

__all__ = ["CHARACTERS", "KINDS", "Drawer", "Drawn", "Fonts"]
