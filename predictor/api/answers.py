"""What an answer says about one image."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from predictor.models.engine import NOTHING_FOUND
from predictor.models.shots import CombinedText
from predictor.requests.options import PredictionOptions
from shared.api.problems import problem
from shared.errors import ReadsmithError
from shared.recognition.decoding import DecodedText, Hypothesis
from shared.store.manifest import Metrics

NOTHING_FITS = {
    "code": "nothing_fits",
    "message": "No text that fits the limits has any probability in this image: the model rules "
    "out a character that each of them needs.",
}
NONE_ALLOWED = {
    "code": "none_allowed",
    "message": "None of the allowed texts is likely enough in this image; confidence is that of "
    "the likeliest.",
}
NOTHING_READ = {
    "code": "nothing_read",
    "message": "Nothing was read. The model's evaluation held images on which there is nothing to "
    "read, so confidence means what it means for texts.",
}
NEVER_MEASURED = {
    "code": "nothing_read",
    "message": "Nothing was read. How far that can be trusted was never measured, whatever "
    "confidence says: the model's evaluation held no image on which there is nothing to read.",
}
NO_LINE = {
    "code": "no_line",
    "message": "No line of text was found in this image, so nothing was read. If the image is cut "
    "to the line already, send crop=off.",
}
ALLOWED_THRESHOLD = 0.5
"""The confidence below which an image is taken to show none of the allowed texts, by default."""


def describe(
    prediction: DecodedText | None, options: PredictionOptions, metrics: Metrics | None
) -> dict[str, Any]:
    """Describe a prediction, or that no text fits; confidences have six decimals.

    metrics: of the model that predicted.
    """
    if prediction is not None:
        answer = _prediction(prediction)
    else:
        answer = _nothing(NONE_ALLOWED if options.may_reject else NOTHING_FITS)
    if prediction is not None and prediction.corners is not None:
        answer["corners"] = [list(corner) for corner in prediction.corners]
    if prediction is NOTHING_FOUND:
        answer["reason"] = NO_LINE
    elif answer["text"] == "":
        measured = metrics is not None and metrics.unreadable_images
        answer["reason"] = NOTHING_READ if measured else NEVER_MEASURED
    if options.may_reject and prediction is not NOTHING_FOUND:
        _reject(answer, options)
    if options.top_k is not None:
        found = prediction.alternatives if prediction else ()
        answer["alternatives"] = [
            {"text": each.text, "confidence": round(each.confidence, 6)} for each in found
        ]
    if options.min_confidence is not None:
        answer["accepted"] = (
            answer["text"] is not None and answer["confidence"] >= options.min_confidence
        )
    return answer


def describe_combined(
    together: CombinedText,
    shots: Sequence[int | ReadsmithError],
    options: PredictionOptions,
    metrics: Metrics | None,
) -> dict[str, Any]:
    """Describe what several shots say together, and each by itself.

    shots: those of the images, as Engine.combine returns them.
    """
    answer = describe(together.text, options, metrics)
    told = answer["text"] is not None and together.shot is not None
    return {
        **answer,
        "frame": shots.index(together.shot) if told else None,
        "frames": [
            {"error": problem(shot)}
            if isinstance(shot, ReadsmithError)
            else _frame(together.alone[shot], together.text)
            for shot in shots
        ],
    }


def describe_input(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """Describe what the model saw, uint8 (H, W, C) gray or RGB, as a PNG in base64."""
    height, width, channels = pixels.shape
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(file, "PNG")
    return {"png": base64.b64encode(file.getvalue()).decode(), "width": width, "height": height}


def _nothing(reason: dict[str, str]) -> dict[str, Any]:
    return {"text": None, "confidence": 0.0, "characters": [], "reason": reason}


def _frame(alone: Hypothesis | None, together: DecodedText | None) -> dict[str, Any]:
    text = None if alone is None else alone.text
    return {
        "text": text,
        "confidence": 0.0 if alone is None else round(alone.confidence, 6),
        "agrees": text == (None if together is None else together.text),
    }


def _reject(answer: dict[str, Any], options: PredictionOptions) -> None:
    """Take the text out of an answer whose confidence is below the threshold."""
    threshold = options.allowed_threshold
    if answer["confidence"] < (ALLOWED_THRESHOLD if threshold is None else threshold):
        answer.update(text=None, characters=[], reason=NONE_ALLOWED)


def _prediction(prediction: DecodedText) -> dict[str, Any]:
    return {
        "text": prediction.text,
        "confidence": round(prediction.confidence, 6),
        "characters": [
            {
                "text": character.text,
                "confidence": round(character.confidence, 6),
                "start": round(character.start, 4),
                "end": round(character.end, 4),
            }
            for character in prediction.characters
        ],
    }
