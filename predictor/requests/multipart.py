"""Splits a multipart/form-data body in memory (RFC 7578).

The size of bodies is limited, so a streaming parser has no advantage: the frameworks' took a third
of a millisecond for one image, this one takes some microseconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header

from shared.errors import MalformedError, TooLargeError

MAX_TEXT_FIELDS_BYTES = 65_536
"""Of all text fields of a form together."""
MAX_PART_HEAD_BYTES = 8192
"""Of the headers of one part."""


@dataclass(frozen=True)
class Form:
    """The fields of a form in their order."""

    texts: dict[str, str]
    """Text by field name."""
    files: list[tuple[str, bytes]]
    """Field name and content of each file."""


def split_form(body: bytes, content_type: str, max_parts: int) -> Form:
    """Split a body by its Content-Type's boundary; of texts with the same name the first counts.

    Raises MalformedError, TooLargeError, or RequestEntityTooLarge for more than
    MAX_TEXT_FIELDS_BYTES of text.
    """
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    if not boundary:
        raise _malformed("Its Content-Type names no boundary.")
    texts: dict[str, str] = {}
    files: list[tuple[str, bytes]] = []
    size = 0
    delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
    for number, (options, content) in enumerate(_parts(body, delimiter, max_parts)):
        if number == max_parts:
            raise TooLargeError(
                "too_many_parts",
                f"The form has more than {max_parts} parts, files and other fields.",
                "Send the images in several requests.",
                "body",
            )
        name = options.get("name", "")
        if "filename" in options:
            files.append((name, content))
            continue
        size += len(content)
        if size > MAX_TEXT_FIELDS_BYTES:
            raise RequestEntityTooLarge
        texts.setdefault(name, content.decode("utf-8", "replace"))
    return Form(texts, files)


def _parts(body: bytes, delimiter: bytes, max_parts: int) -> Iterator[tuple[dict[str, str], bytes]]:
    """Yield each part's Content-Disposition options and content, up to max_parts + 1."""
    # The limit in split: a body of a million boundaries must not become a million slices.
    for piece in (b"\r\n" + body).split(delimiter, max_parts + 2)[1 : max_parts + 2]:
        if piece.startswith(b"--"):
            return
        padding, _, part = piece.partition(b"\r\n")
        if padding.strip(b" \t"):
            raise _malformed("A boundary's line has other text after it.")
        head, _, content = part.partition(b"\r\n\r\n")  # an empty content needs no blank line
        if len(head) > MAX_PART_HEAD_BYTES:
            raise _malformed(f"A part's headers have more than {MAX_PART_HEAD_BYTES:,} bytes.")
        yield _disposition(head), content
    raise _malformed("It ends before its last boundary.")


def _disposition(head: bytes) -> dict[str, str]:
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            kind, options = parse_options_header(value.strip())
            if kind == "form-data" and "name" in options:
                return options
    raise _malformed("A part has no Content-Disposition: form-data with a name.")


def _malformed(what: str) -> MalformedError:
    return MalformedError(
        "form_invalid",
        f"The multipart body is not valid. {what}",
        'Let a client write it, for example: curl -F "image=@captcha.png" …/predict',
        "body",
    )
