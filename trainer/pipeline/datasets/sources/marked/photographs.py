"""The photographs of a set in which each shows one line, with the line's corners."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from shared.recognition.lines.corners import Corners
from trainer.pipeline.datasets.sources.marked.boxes import Box, MarkedImage
from trainer.pipeline.datasets.sources.source import ImageSource

LEAST = 20
"""Photographs, from which a detector can learn anything."""

Boxes = Mapping[str, tuple[str, Box]]
"""The photograph and the box of each line, by the line's name."""


@dataclass(frozen=True)
class Photographs:
    """Whole images, by the names of the lines that are cut out of them."""

    source: ImageSource
    boxes: Boxes

    def file(self, name: str) -> str:
        """Return the name of the photograph of a line; of any other image, its own."""
        return self.boxes[name][0] if name in self.boxes else name

    def open(self, name: str) -> tuple[Image.Image, Corners | None]:
        """Return a photograph and its line's corners, None where it has none.

        Raises UnreadableEntryError, ImageRejectedError, UnusableBoxError.
        """
        marked = MarkedImage(self.source.read(self.file(name)))
        return marked.image, marked.corners(self.boxes[name][1]) if name in self.boxes else None


def why_no_photographs(texts: Mapping[str, str], boxes: Boxes) -> str | None:
    """Return why no detector can learn from a set, None if one can.

    texts: by the name of the line, or of an image without any.
    """
    lines = Counter(boxes[name][0] for name in texts if name in boxes)
    several = sum(count > 1 for count in lines.values())
    if several:
        return f"{several} images have several lines"
    if any(text != "" for name, text in texts.items() if name not in boxes):
        return "the place of the text is not given for every image"
    return None if len(lines) >= LEAST else f"it takes {LEAST} images"
