"""Decodes images on all cores: Pillow and zlib release the interpreter's lock."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

IN_FLIGHT = 1024


def map_in_threads(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yield the function's results in order, never holding more than IN_FLIGHT of them."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(items), IN_FLIGHT):
            yield from pool.map(function, items[start : start + IN_FLIGHT])
