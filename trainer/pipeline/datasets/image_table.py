"""Labelled images in columns: a set of millions needs no Python object for each."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer.pipeline.datasets.sources.text_columns import Texts

HASH_BYTES = 32
LOOK_BYTES = 64


class LabelledImage(NamedTuple):
    """One usable image: its name in the source and its label (NFC, "" if nothing can be read)."""

    name: str
    label: str
    content: str
    """SHA-256 of its decoded pixels in hexadecimal, the same in every lossless file format."""
    size: tuple[int, int]
    """Width and height in pixels."""
    look: bytes = bytes(LOOK_BYTES)
    """A thumbnail, by which near-duplicates are found."""


class ImageTable(Sequence[LabelledImage]):
    """Rows of a table of images; each LabelledImage is created on access."""

    def __init__(self, images: Iterable[LabelledImage] = ()) -> None:
        self._names, self._labels = Texts(), Texts()
        self._contents, self._looks = bytearray(), bytearray()
        self._sizes = array("L")
        for image in images:
            self._names.append(image.name)
            self._labels.append(image.label)
            self._contents += bytes.fromhex(image.content)
            self._looks += image.look
            self._sizes.extend(image.size)
        self._rows = np.arange(len(self._names))

    def take(self, which: ArrayLike | slice) -> "ImageTable":
        """Return the images at these indices, in this order, of the same table."""
        part = copy(self)  # shares the columns
        part._rows = self._rows[which if isinstance(which, slice) else np.asarray(which, np.intp)]
        return part

    def where(self, wanted: Callable[[LabelledImage], bool]) -> "ImageTable":
        """Return the images for which the function is true."""
        return self.take([index for index, image in enumerate(self) if wanted(image)])

    def __add__(self, other: "ImageTable") -> "ImageTable":
        """Return the rows of both, which must share a table."""
        assert self._names is other._names  # noqa: S101 - nothing else is ever joined
        part = self.take(slice(0, 0))
        part._rows = np.concatenate([self._rows, other._rows])
        return part

    def in_order(self) -> "ImageTable":
        """Return the same images in the order of the table, which is that of the source."""
        return self.take(np.argsort(self._rows, kind="stable"))

    @property
    def names(self) -> Iterator[str]:
        """The names, in order."""
        return (self._names[int(row)] for row in self._rows)

    @property
    def labels(self) -> Iterator[str]:
        """The labels, in order."""
        return (self._labels[int(row)] for row in self._rows)

    @property
    def contents(self) -> NDArray[np.uint8]:
        """The hashes, uint8 (N, 32)."""
        table = np.frombuffer(self._contents, np.uint8)
        return table.reshape(-1, HASH_BYTES)[self._rows]

    @property
    def looks(self) -> NDArray[np.int8]:
        """The thumbnails, int8 (N, 64)."""
        return np.frombuffer(self._looks, np.int8).reshape(-1, LOOK_BYTES)[self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, which: int) -> LabelledImage: ...
    @overload
    def __getitem__(self, which: slice) -> "ImageTable": ...
    def __getitem__(self, which: int | slice) -> "LabelledImage | ImageTable":
        if isinstance(which, slice):
            return self.take(which)
        row = int(self._rows[which])
        content = self._contents[row * HASH_BYTES : (row + 1) * HASH_BYTES]
        size = self._sizes[2 * row], self._sizes[2 * row + 1]
        look = bytes(self._looks[row * LOOK_BYTES : (row + 1) * LOOK_BYTES])
        return LabelledImage(self._names[row], self._labels[row], content.hex(), size, look)
