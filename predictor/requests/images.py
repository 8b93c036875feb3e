"""Parses an HTTP request into encoded images and options."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from flask import Request
from pydantic import ConfigDict, Field

from predictor.requests.multipart import split_form
from predictor.requests.options import (
    NAMES,
    PredictionOptions,
    check_lengths,
    options_of,
    overridden,
)
from predictor.requests.problems import unknown, validated
from predictor.settings import PredictorSettings
from shared.errors import (
    ImageTooLargeError,
    MalformedError,
    NotAnImageError,
    ReadsmithError,
    TooLargeError,
    UnsupportedMediaError,
    UnusableError,
)

IMAGE_FIELDS = ("image", "file")
CURL = 'For example: curl -F "image=@captcha.png" …/predict'


@dataclass(frozen=True)
class SentImage:
    """One encoded image, or what is wrong with it."""

    field: str
    """The part of the request that it came in."""
    data: bytes | ReadsmithError


@dataclass(frozen=True)
class PredictRequest:
    """The parsed body of POST /predict."""

    uploads: tuple[SentImage, ...]
    model: str | None
    """The requested model, if one is named."""
    options: PredictionOptions
    several: bool
    """Whether the answer is a list, in which an invalid image has an error of its own."""


class JsonBody(PredictionOptions):
    """A request as JSON: options, and either image or images."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "oneOf": [
                {"required": ["image"], "properties": {"image": {"type": "string"}}},
                {"required": ["images"], "properties": {"images": {"type": "array"}}},
            ]
        },
    )

    image: str | None = Field(
        None,
        description="one image, base64",
        json_schema_extra={"contentEncoding": "base64", "minLength": 1},
    )
    images: list[str] | None = Field(
        None, description="a list of images, base64", json_schema_extra={"minItems": 1}
    )


def parse(request: Request, settings: PredictorSettings) -> PredictRequest:
    """Parse a request for predictions; raises ReadsmithError.

    Werkzeug raises RequestEntityTooLarge while the body is read.
    """
    _only_known(request.args, NAMES, "query parameter")
    options, several = options_of(request.args.to_dict()), False
    kind = request.mimetype
    if kind == "multipart/form-data":
        uploads, texts = _multipart(request, settings)
        options = overridden(options, options_of(texts))
    elif kind == "application/json":
        body = validated(JsonBody, body_of(request))
        uploads, several = _encoded(body, settings), body.images is not None
        options = overridden(options, body)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        uploads = [SentImage("body", body_of(request))]
    else:
        raise UnsupportedMediaError(
            "unsupported_media_type",
            f"The Content-Type is {kind!r}." if kind else "The request has no Content-Type.",
            "Send multipart/form-data with the field image, image/*, application/octet-stream "
            f"or application/json. {CURL}",
        )
    _check_number(len(uploads), uploads[0].field, settings)
    check_lengths(options)
    valid = tuple(checked(upload, settings) for upload in uploads)
    return PredictRequest(valid, options.model, options, several or len(uploads) > 1)


def body_of(request: Request) -> bytes:
    """Return the whole body; Werkzeug raises RequestEntityTooLarge."""
    data = request.get_data()
    # get_data silently cuts a chunked body at the limit; reading one more byte raises.
    request.stream.read(1)
    return data


def _multipart(
    request: Request, settings: PredictorSettings
) -> tuple[list[SentImage], dict[str, str]]:
    form = split_form(
        body_of(request), request.headers["Content-Type"], settings.max_images + len(NAMES)
    )
    _only_known((name for name, _ in form.files), IMAGE_FIELDS, "file field")
    for name in IMAGE_FIELDS:
        if name in form.texts:
            raise UnusableError(
                "request_invalid",
                f"The field {name} is text, not a file.",
                f"curl needs an @ before the file's name. {CURL}",
                name,
            )
    _only_known(form.texts, NAMES, "field")
    if not form.files:
        raise UnusableError("request_invalid", "The request has no field image.", CURL, "image")
    return [SentImage(name, data) for name, data in form.files], form.texts


def _encoded(body: JsonBody, settings: PredictorSettings) -> list[SentImage]:
    if (body.image is None) == (body.images is None):
        raise UnusableError(
            "request_invalid",
            f"The JSON body has {'neither image nor' if body.image is None else 'both image and'} "
            "images.",
            'Send {"image": "<base64>"} for one image or {"images": [...]} for several.',
            "image",
        )
    if body.image is not None:
        return [SentImage("image", decoded(body.image, "image"))]
    texts = body.images or []
    _check_number(len(texts), "images", settings)  # before any is decoded
    return [
        SentImage(f"images.{index}", decoded(text, f"images.{index}"))
        for index, text in enumerate(texts)
    ]


def decoded(text: str, field: str) -> bytes | MalformedError:
    """Decode base64; return an error if it is invalid."""
    try:
        # Tools break base64 into lines (RFC 2045, section 6.8); validate rejects line breaks.
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        return MalformedError(
            "base64_invalid",
            f"The field {field} is not base64: {error}.",
            "Send the file's bytes in standard base64, without a data: prefix.",
            field,
        )


def _only_known(found: Iterable[str], known: tuple[str, ...], what: str) -> None:
    for name in found:
        if name not in known:
            raise unknown(name, what, known)


def _check_number(number: int, field: str, settings: PredictorSettings) -> None:
    if number == 0:
        raise UnusableError(
            "request_invalid", f"The list {field} is empty.", "Send an image.", field
        )
    if number > settings.max_images:
        raise TooLargeError(
            "too_many_images",
            f"The request has {number} images.",
            f"The limit is {settings.max_images} in one request.",
            field,
        )


def checked(upload: SentImage, settings: PredictorSettings) -> SentImage:
    """Return the upload, with an error in place of its data if they are empty or too large."""
    field, data = upload.field, upload.data
    if isinstance(data, ReadsmithError):
        return upload
    if not data:
        hint = f"Send the whole file. {CURL}"
        error: ReadsmithError = NotAnImageError(
            "empty_image", f"The {field} is empty (0 bytes).", hint, field
        )
    elif len(data) > settings.max_image_bytes:
        hint = f"The limit is {settings.max_image_bytes:,} bytes."
        error = ImageTooLargeError(
            "image_too_large", f"The {field} has {len(data):,} bytes.", hint, field
        )
    else:
        return upload
    return SentImage(field, error)
