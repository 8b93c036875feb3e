"""Parses an HTTP request into encoded images and options."""

import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from flask import Request
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict, JsonValue

from predictor.requests.bodies import body_of, json_of
from predictor.requests.memory import Lease
from predictor.requests.multipart import Form, split_form
from predictor.requests.options import (
    NAMES,
    PredictionOptions,
    check_lengths,
    options_of,
    overridden,
)
from predictor.requests.problems import unknown, unsupported_media
from predictor.settings import PredictorSettings
from shared.errors import (
    ImageTooLargeError,
    MalformedError,
    NotAnImageError,
    ReadsmithError,
    TooLargeError,
    UnusableError,
)
from shared.patterns.allowed import AllowedTexts
from shared.recognition.preprocessing import CUT_OUT

IMAGE_FIELDS = ("image", "file")
CURL = 'For example: curl -F "image=@captcha.png" …/predict'


SentField = tuple[str, bytes | str]
"""A part of a request, and the image in it: encoded as in a file, or that in base64, which may
come as a data: URL."""


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
    options: PredictionOptions
    several: bool
    """Whether the answer is a list, in which an invalid image has an error of its own."""


WHITESPACE: Final = " \t\n\r\v\f"
SPACED_BASE64: Final = re.compile(f"[A-Za-z0-9+/{WHITESPACE}]*={{0,2}}[{WHITESPACE}]*")
MAX_URL_HEAD: Final = 200
"""Characters of a data: URL before the image."""

ENCODED: Final[JsonDict] = {"contentEncoding": "base64"}
BASE64: Final[JsonDict] = {**ENCODED, "minLength": 1}
"""Beside a JSON field that holds an image; the limit of the body is that of its length."""


TEXT: Final[JsonDict] = {"type": "string"}
TEXTS: Final[JsonDict] = {"type": "array", "items": TEXT}  # generators need to know of what


def exactly_one(**schemas: JsonDict) -> JsonDict:
    """Return what a JSON schema says of fields, each with its own, of which one must be there."""
    choices: list[JsonValue] = [
        {"required": [name], "properties": {name: schema}} for name, schema in schemas.items()
    ]
    return {"oneOf": choices}


class JsonBody(PredictionOptions):
    """A request as JSON: options, and either image or images."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra=exactly_one(image=TEXT, images=TEXTS),
    )

    allowed: AllowedTexts | None = Field(None, description="a list of the texts that it may be")
    image: str | None = Field(None, description="one image, base64", json_schema_extra=BASE64)
    images: list[Annotated[str, Field(json_schema_extra=ENCODED)]] | None = Field(
        None,
        description="a list of images, base64 or data: URLs",
        json_schema_extra={"minItems": 1},
    )


def parse(request: Request, settings: PredictorSettings, lease: Lease) -> PredictRequest:
    """Parse a request for predictions; raises ReadsmithError.

    lease: takes what the body needs. Werkzeug raises RequestEntityTooLarge while the body is read.
    """
    _only_known(request.args, NAMES, "query parameter")
    options, several = options_of(request.args.to_dict()), False
    kind = request.mimetype
    sent: Iterable[SentField]
    if kind == "multipart/form-data":
        sent, texts = _multipart(request, settings, lease)
        options = overridden(options, options_of(texts))
    elif kind == "application/json":
        body = json_of(JsonBody, request, lease)
        sent, several = _encoded(body, settings), body.images is not None
        options = overridden(options, body)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        sent = [("body", body_of(request, lease))]
    else:
        raise unsupported_media(kind, _other_way(kind))
    check_lengths(options)
    uploads = tuple(_upload(field, image, settings) for field, image in sent)
    return PredictRequest(uploads, options, several or len(uploads) > 1)


def _other_way(kind: str) -> str:
    """Return how to send an image, to a client that sent a body of another kind."""
    ways = (
        "Send multipart/form-data with the field image, image/*, application/octet-stream "
        f"or application/json. {CURL}"
    )
    if kind == "application/x-www-form-urlencoded":
        return f"{ways} With Python's requests: files={{'image': …}}, not data=…"
    return ways


def _multipart(
    request: Request, settings: PredictorSettings, lease: Lease
) -> tuple[list[SentField], dict[str, str]]:
    most_parts = settings.max_images + len(NAMES)
    form = form_of(request, lease, most_parts)
    _only_known((name for name, _ in form.files), IMAGE_FIELDS, "file field")
    _only_known(form.texts, NAMES, "field")
    if not form.files:
        raise UnusableError("request_invalid", "The request has no field image.", CURL, "image")
    _check_number(len(form.files), form.files[0][0], settings)
    return [*form.files], form.texts


def form_of(request: Request, lease: Lease, most_parts: int) -> Form:
    """Return a form whose images may be files, or texts in base64; raises ReadsmithError."""
    body = body_of(request, lease)
    lease.hold_data_url(body)
    form = split_form(body, request.headers["Content-Type"], most_parts, IMAGE_FIELDS)
    for name, content in form.files:
        if isinstance(content, str) and not _may_be_base64(content):
            raise UnusableError(
                "request_invalid",
                f"The field {name} is text, neither a file nor an image in base64.",
                f"curl needs an @ before the file's name. {CURL}",
                name,
            )
    return form


def _may_be_base64(text: str) -> bool:
    return _is_data_url(text) or SPACED_BASE64.fullmatch(text) is not None


def _is_data_url(text: str) -> bool:
    return text[:MAX_URL_HEAD].lstrip().lower().startswith("data:")


def _encoded(body: JsonBody, settings: PredictorSettings) -> Iterable[SentField]:
    if (body.image is None) == (body.images is None):
        raise UnusableError(
            "request_invalid",
            f"The JSON body has {'neither image nor' if body.image is None else 'both image and'} "
            "images.",
            'Send {"image": "<base64>"} for one image or {"images": [...]} for several.',
            "image",
        )
    if body.image is not None:
        return [("image", body.image)]
    texts = body.images or []
    _check_number(len(texts), "images", settings)
    return _taken_out(texts)


def _taken_out(texts: list[str]) -> Iterator[SentField]:
    """Yield each text, which is then dropped: its image takes as much again."""
    for index in range(len(texts)):
        text, texts[index] = texts[index], ""
        yield f"images.{index}", text


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


def _upload(field: str, image: bytes | str, settings: PredictorSettings) -> SentImage:
    try:
        return SentImage(field, image_bytes(field, image, settings))
    except ReadsmithError as error:
        return SentImage(field, error.without_trace())


def image_bytes(field: str, image: bytes | str, settings: PredictorSettings) -> bytes:
    """Return the bytes of an encoded image, which came as they are or in base64.

    Raises MalformedError, NotAnImageError if they are empty, or ImageTooLargeError.
    """
    data = _decoded(image, field, settings) if isinstance(image, str) else image
    if not data:
        raise NotAnImageError(
            "empty_image", f"The {field} is empty (0 bytes).", f"Send the whole file. {CURL}", field
        )
    _check_size(field, len(data), settings)
    return data


def _check_size(field: str, size: int, settings: PredictorSettings) -> None:
    if size > settings.max_image_bytes:
        raise ImageTooLargeError(
            "image_too_large",
            f"The {field} has {size:,} bytes.",
            f"The limit is {settings.max_image_bytes:,} bytes. {CUT_OUT}",
            field,
        )


def _decoded(text: str, field: str, settings: PredictorSettings) -> bytes:
    if _is_data_url(text):
        head, comma, _ = text[:MAX_URL_HEAD].partition(",")
        if not (comma and head.rstrip().lower().endswith(";base64")):
            raise _not_base64(field, "its data: URL does not say ;base64,")
        text = text[len(head) + 1 :]
    if text.startswith(("http:", "https:")):
        raise _not_base64(field, "it is an address, which is not fetched")
    if not text.isascii():
        raise _not_base64(field, "it has characters beyond ASCII")
    size = (len(text) - sum(map(text.count, WHITESPACE))) * 3 // 4
    _check_size(field, size - text[-MAX_URL_HEAD:].rstrip()[-2:].count("="), settings)
    try:
        # binascii takes a text as it is; base64 would copy it first.
        return binascii.a2b_base64(text, strict_mode=not _is_spaced(text))
    except ValueError as error:
        reason = str(error)
    # Not raised in the handler: as its context, the other error would hold on to the text.
    raise _not_base64(field, reason)


def _is_spaced(text: str) -> bool:
    """Tell whether a text is base64 broken into lines, as tools do (RFC 2045, section 6.8)."""
    spaced = any(each in text for each in WHITESPACE)
    return spaced and SPACED_BASE64.fullmatch(text) is not None


def _not_base64(field: str, reason: str) -> MalformedError:
    return MalformedError(
        "base64_invalid",
        f"The field {field} is not base64: {reason}.",
        "Send the file's bytes in standard base64, or as data:image/png;base64,…",
        field,
    )
