"""From an HTTP request to the encoded pictures in it."""

import base64
import binascii
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any

from flask import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from predictor.problems import RequestError
from predictor.settings import PredictorSettings

IMAGE_FIELDS = ("image", "file")
MODEL_FIELD = "model"
CURL = 'For example: curl -F "image=@captcha.png" …/predict'


@dataclass(frozen=True)
class Upload:
    """One encoded picture and the part of the request that it came in."""

    field: str
    data: bytes


@dataclass(frozen=True)
class Question:
    """The pictures to read and the name of the model that shall read them."""

    uploads: tuple[Upload, ...]
    model: str


class InMemoryRequest(Request):
    """Keeps multipart files in memory: bodies are bounded, and the disk may be read-only."""

    def _get_file_stream(self, *args: Any, **kwargs: Any) -> IO[bytes]:
        return io.BytesIO()


class _JsonBody(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    image: str
    model: str | None = None


def parse(request: Request, settings: PredictorSettings) -> Question:
    """Take the pictures out of a request to read them; raises RequestError.

    Werkzeug raises RequestEntityTooLarge while the body is read.
    """
    _only_known(request.args, (MODEL_FIELD,), "query parameter")
    model = request.args.get(MODEL_FIELD)
    kind = request.mimetype
    if kind == "multipart/form-data":
        uploads = _multipart(request)
        model = request.form.get(MODEL_FIELD, model)
    elif kind == "application/json":
        upload, named = _json(_body(request))
        uploads, model = [upload], named or model
    elif kind.startswith("image/") or kind == "application/octet-stream":
        uploads = [Upload("body", _body(request))]
    else:
        raise RequestError(
            "unsupported_content_type",
            f"The Content-Type is {kind!r}." if kind else "The request has no Content-Type.",
            "Send multipart/form-data with the field image, image/*, application/octet-stream "
            f"or application/json. {CURL}",
        )
    _check(uploads, settings)
    return Question(tuple(uploads), model or settings.default_model)


def _body(request: Request) -> bytes:
    data = request.get_data()
    request.stream.read(1)  # get_data cuts a chunked body at the limit; one more byte raises
    return data


def _multipart(request: Request) -> list[Upload]:
    _only_known(request.files, IMAGE_FIELDS, "file field")
    for name in IMAGE_FIELDS:
        if name in request.form:
            raise RequestError(
                "no_image", f"The field {name} holds text, not a file.", f"Mind the @. {CURL}", name
            )
    _only_known(request.form, (MODEL_FIELD,), "field")
    uploads = [
        Upload(name, file.read()) for name in IMAGE_FIELDS for file in request.files.getlist(name)
    ]
    if not uploads:
        raise RequestError("no_image", "The request has no field image.", CURL, "image")
    return uploads


def _json(body: bytes) -> tuple[Upload, str | None]:
    try:
        content = _JsonBody.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        raise RequestError(
            "bad_json",
            f"The JSON body is not valid{f' at {field}' if field else ''}: {first['msg']}.",
            'Send {"image": "<base64>"}, and "model" if you like.',
            field,
        ) from None
    try:
        data = base64.b64decode("".join(content.image.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(
            "bad_base64",
            f"The field image is not base64: {error}.",
            "Send the file's bytes in standard base64, without a data: prefix.",
            "image",
        ) from None
    return Upload("image", data), content.model


def _only_known(found: Iterable[str], known: tuple[str, ...], what: str) -> None:
    for name in found:
        if name not in known:
            raise RequestError(
                "unknown_field",
                f"There is no {what} {name[:40]!r} here.",
                f"Known: {', '.join(known)}.",
                name[:40],
            )


def _check(uploads: list[Upload], settings: PredictorSettings) -> None:
    if len(uploads) > settings.max_images:
        raise RequestError(
            "too_many_images",
            f"The request has {len(uploads)} pictures.",
            f"The limit is {settings.max_images} in one request.",
            uploads[0].field,
        )
    for upload in uploads:
        if not upload.data:
            raise RequestError(
                "empty_image",
                f"The {upload.field} is empty (0 bytes).",
                f"Send the whole file. {CURL}",
                upload.field,
            )
        if len(upload.data) > settings.max_image_bytes:
            raise RequestError(
                "image_too_large",
                f"The {upload.field} has {len(upload.data):,} bytes.",
                f"The limit is {settings.max_image_bytes:,} bytes.",
                upload.field,
            )
