"""Reads images through a predictor, one or many in a request."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypedDict

from readsmith.client.connection import ServiceConnection
from readsmith.client.errors import ServiceError, refused
from shared.api.predictions import CombinedPrediction, ImageError, Prediction, Predictions

MOST_IMAGES = 64
MOST_BYTES = 16_000_000
"""Of images in one request; where a predictor takes less, they are sent in smaller parts."""
TOO_LARGE = 413

ImageInput = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the bytes of an image file, or such a file opened for reading bytes."""


class PredictionKeywords(TypedDict, total=False):
    """What a prediction can be asked for; docs/patterns.md tells what each does."""

    model: str | None
    version: int | None
    top_k: int | None
    charset: str | None
    pattern: str | None
    allowed: Sequence[str] | None
    check_digit: str | None
    allowed_threshold: float | None
    fold_case: bool | None
    min_length: int | None
    max_length: int | None
    min_confidence: float | None
    crop: str | None


def predict(
    predictor: ServiceConnection, image: ImageInput, options: PredictionKeywords
) -> Prediction:
    """Read one image; raises ServiceError, OSError for a file that cannot be read."""
    form = _form([bytes_of(image)], options)
    return predictor.ask(Prediction, "POST", "/predict", repeat=True, **form)


def predict_many(
    predictor: ServiceConnection, images: Iterable[ImageInput], options: PredictionKeywords
) -> Iterator[Prediction | ServiceError]:
    """Read images in order; yields the error for one that cannot be read, raises as read."""
    for batch in _batches(map(bytes_of, images)):
        yield from _read_batch(predictor, batch, options)


def predict_combined(
    predictor: ServiceConnection, images: Iterable[ImageInput], options: PredictionKeywords
) -> CombinedPrediction:
    """Read several shots of one thing in one request; raises as predict."""
    form = _form([bytes_of(image) for image in images], options)
    form["data"]["combine"] = "true"
    return predictor.ask(CombinedPrediction, "POST", "/predict", repeat=True, **form)


def _read_batch(
    predictor: ServiceConnection, batch: list[bytes], options: PredictionKeywords
) -> list[Prediction | ServiceError]:
    """Read images in one request; if it is refused because of an image, in two halves."""
    try:
        if len(batch) == 1:
            return [predict(predictor, batch[0], options)]
        form = _form(batch, options)
        return _each(predictor.ask(Predictions, "POST", "/predict", repeat=True, **form))
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


def _each(answer: Predictions) -> list[Prediction | ServiceError]:
    origin = answer.model_dump(exclude={"results"}, exclude_unset=True)
    return [
        refused(result.error)
        if isinstance(result, ImageError)
        else Prediction.model_validate(result.model_dump(exclude_unset=True) | origin)
        for result in answer.results
    ]


def _form(images: list[bytes], options: PredictionKeywords) -> dict[str, Any]:
    return {
        "files": [("image", ("image", image)) for image in images],
        "data": {name: _text(value) for name, value in options.items() if value is not None},
    }


def _text(value: object) -> str:
    """Return a value as a form has it; of a list, each on a line."""
    return "\n".join(value) if isinstance(value, list | tuple) else str(value)


def bytes_of(image: ImageInput) -> bytes:
    """Return the bytes of an image file; raises OSError if it cannot be read."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | os.PathLike):
        return Path(image).read_bytes()
    return image.read()


def _batches(images: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for image in images:
        if batch and (len(batch) == MOST_IMAGES or size + len(image) > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(image)
        size += len(image)
    if batch:
        yield batch
