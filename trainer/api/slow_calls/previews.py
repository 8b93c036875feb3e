"""Small copies of images for people to look at, re-encoded from the decoded pixels."""

import io
from typing import Any

from fastapi import Response

from shared.api.headers import IMAGE_HEADERS
from shared.recognition.preprocessing import open_image

LONGEST_SIDE, LARGEST_SIDE = 400, 1200
"""Pixels; what is larger is shrunk, to the second at most where a size is asked for."""


def preview_answer(data: bytes, longest_side: int = LONGEST_SIDE) -> Response:
    """Answer with an image as a PNG, shrunk if it is large; raises ImageRejectedError."""
    image = open_image(data)
    image.thumbnail((longest_side, longest_side))
    file = io.BytesIO()
    image.save(file, "PNG")
    return Response(file.getvalue(), 200, IMAGE_HEADERS, "image/png")


PREVIEW_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}}, "description": "The image."}
}
"""Documents such an answer in OpenAPI."""
