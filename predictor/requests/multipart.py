"""Splits a multipart/form-data body in memory (RFC 7578).

The size of bodies is limited, so a streaming parser has no advantage: the frameworks' took a third
of a millisecond for one image, this one takes some microseconds.
"""

from collections.abc import Container, Iterator
from contextlib import suppress
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
    files: list[tuple[str, bytes | str]]
    """Field name and content of each file; as text if it came without a file's name."""


@dataclass(frozen=True)
class _FormPart:
    options: dict[str, str]
    """Of its Content-Disposition."""
    kind: str
    """Its Content-Type."""
    content: memoryview


def split_form(
    body: bytes, content_type: str, max_parts: int, image_fields: Container[str] = ()
) -> Form:
    """Split a body by its Content-Type's boundary; of texts with the same name the first counts.

    image_fields: their parts are files also without a name: clients leave it out.
    Raises MalformedError, TooLargeError, or RequestEntityTooLarge for more than
    MAX_TEXT_FIELDS_BYTES of text.
    """
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    if not boundary:
        raise _malformed("Its Content-Type names no boundary.")
    texts: dict[str, str] = {}
    files: list[tuple[str, bytes | str]] = []
    size = 0
    delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
    for number, part in enumerate(_parts(body, delimiter, max_parts)):
        if number == max_parts:
            raise TooLargeError(
                "too_many_parts",
                f"The form has more than {max_parts} parts, files and other fields.",
                "Send the images in several requests.",
                "body",
            )
        name = part.options.get("name", "")
        if "filename" in part.options:
            files.append((name, bytes(part.content)))
            continue
        if name in image_fields:
            files.append((name, _without_name(part)))
            continue
        size += len(part.content)
        if size > MAX_TEXT_FIELDS_BYTES:
            raise RequestEntityTooLarge
        texts.setdefault(name, str(part.content, "utf-8", "replace"))
    return Form(texts, files)


def _without_name(part: _FormPart) -> bytes | str:
    """Return an image that came without a file's name: its bytes, or a text in base64."""
    if not part.kind.startswith(("image/", "application/octet-stream")):
        with suppress(UnicodeDecodeError):
            text = str(part.content, "ascii")
            if "\0" not in text:
                return text
    return bytes(part.content)


def _parts(body: bytes, delimiter: bytes, max_parts: int) -> Iterator[_FormPart]:
    """Yield each part, up to max_parts + 1."""
    # By positions: split() would copy the whole body once more.
    first = delimiter.removeprefix(b"\r\n")  # nothing need stand before the first one
    begin = len(first) if body.startswith(first) else _after(body, delimiter, 0)
    for _ in range(max_parts + 1):
        if begin < 0:
            break
        end = body.find(delimiter, begin)
        stop = len(body) if end < 0 else end
        if body.startswith(b"--", begin, stop):
            return
        yield _part(body, begin, stop)
        begin = -1 if end < 0 else end + len(delimiter)
    else:
        return
    raise _malformed("It ends before its last boundary.")


def _after(body: bytes, text: bytes, begin: int) -> int:
    """Return where a text ends that is searched from a position on, -1 if it is not there."""
    found = body.find(text, begin)
    return found if found < 0 else found + len(text)


def _part(body: bytes, begin: int, stop: int) -> _FormPart:
    line = body.find(b"\r\n", begin, stop)
    line = stop if line < 0 else line
    if body[begin:line].strip(b" \t"):
        raise _malformed("A boundary's line has other text after it.")
    head = min(line + 2, stop)
    blank = body.find(b"\r\n\r\n", head, stop)  # an empty content needs no blank line
    blank = stop if blank < 0 else blank
    if blank - head > MAX_PART_HEAD_BYTES:
        raise _malformed(f"A part's headers have more than {MAX_PART_HEAD_BYTES:,} bytes.")
    headers = _headers(body[head:blank])
    kind, options = parse_options_header(headers.get("content-disposition", ""))
    if kind == "form-data" and "name" in options:
        content = memoryview(body)[min(blank + 4, stop) : stop]  # a slice would copy it once more
        return _FormPart(options, headers.get("content-type", "").lower(), content)
    raise _malformed("A part has no Content-Disposition: form-data with a name.")


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _malformed(what: str) -> MalformedError:
    return MalformedError(
        "form_invalid",
        f"The multipart body is not valid. {what}",
        'Let a client write it, for example: curl -F "image=@captcha.png" …/predict',
        "body",
    )
