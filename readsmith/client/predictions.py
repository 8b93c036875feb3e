"""Reads pictures through a predictor, one or many in a request."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

from readsmith.client.connection import Connection
from readsmith.client.errors import ServiceError
from readsmith.client.predictor import PictureRefusal, Reading, Readings

MOST_PICTURES = 64
MOST_BYTES = 16_000_000
"""Of pictures in one request; where a predictor takes less, they are sent in smaller parts."""
TOO_LARGE = 413

Picture = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the bytes of a picture file, or such a file opened for reading bytes."""


class Options(TypedDict, total=False):
    """What a reading can be asked for; docs/patterns.md tells what each does."""

    model: str | None
    version: int | None
    top_k: int | None
    charset: str | None
    pattern: str | None
    min_length: int | None
    max_length: int | None
    min_confidence: float | None


def read(predictor: Connection, picture: Picture, options: Options) -> Reading:
    """Read one picture; raises ServiceError, OSError for a file that cannot be read."""
    form = _form([bytes_of(picture)], options)
    return predictor.ask(Reading, "POST", "/predict", repeat=True, **form)


def read_many(
    predictor: Connection, pictures: Iterable[Picture], options: Options
) -> Iterator[Reading | ServiceError]:
    """Read pictures in order; yields the error for one that cannot be read, raises as read."""
    for batch in _batches(map(bytes_of, pictures)):
        yield from _read_batch(predictor, batch, options)


def _read_batch(
    predictor: Connection, batch: list[bytes], options: Options
) -> list[Reading | ServiceError]:
    """Read pictures in one request; if it is refused because of a picture, in two halves."""
    try:
        if len(batch) == 1:
            return [read(predictor, batch[0], options)]
        form = _form(batch, options)
        return _each(predictor.ask(Readings, "POST", "/predict", repeat=True, **form))
    except ServiceError as error:
        if error.field != "image" and error.status != TOO_LARGE:
            raise
        if len(batch) == 1:
            return [error]
    half = len(batch) // 2
    return [
        *_read_batch(predictor, batch[:half], options),
        *_read_batch(predictor, batch[half:], options),
    ]


def _each(answer: Readings) -> list[Reading | ServiceError]:
    origin = answer.model_dump(exclude={"results"}, exclude_unset=True)
    return [
        result.error.error()
        if isinstance(result, PictureRefusal)
        else Reading.model_validate(result.model_dump(exclude_unset=True) | origin)
        for result in answer.results
    ]


def _form(pictures: list[bytes], options: Options) -> dict[str, Any]:
    return {
        "files": [("image", ("image", picture)) for picture in pictures],
        "data": {name: str(value) for name, value in options.items() if value is not None},
    }


def bytes_of(picture: Picture) -> bytes:
    """Return the bytes of a picture file; raises OSError if it cannot be read."""
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, str | os.PathLike):
        return Path(picture).read_bytes()
    return picture.read()


def _batches(pictures: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for picture in pictures:
        if batch and (len(batch) == MOST_PICTURES or size + len(picture) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(picture)
        size += len(picture)
    if batch:
        yield batch
