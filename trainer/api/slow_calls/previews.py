"""Small copies of images for people to look at, re-encoded from the decoded pixels."""

import io
from typing import Any

from fastapi import Response

from shared.api.headers import IMAGE_HEADERS
from shared.recognition.preprocessing import open_image

LONGEST_SIDE = 400
"""Pixels; what is larger is shrunk."""


def preview_answer(data: bytes) -> Response:
    """Answer with an image as a PNG, shrunk if it is large; raises ImageRejectedError."""
    image = open_image(data)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    file = io.BytesIO()
    image.save(file, "PNG")
    return Response(file.getvalue(), 200, IMAGE_HEADERS, "image/png")


PREVIEW_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}}, "description": "The image."}
}
"""Documents such an answer in OpenAPI."""
