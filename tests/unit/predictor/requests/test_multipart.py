import io
import random

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import RequestEntityTooLarge

from predictor.requests.multipart import split_form
from shared.errors import MalformedError, TooLargeError

TYPE = "multipart/form-data; boundary=x"


def part(disposition: str, content: bytes) -> bytes:
    return f"--x\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


def encoded(files: list[tuple[str, bytes]], texts: dict[str, str]) -> tuple[bytes, str]:
    """Let requests, a client that many use, write the body."""
    sent = [(name, ("a file.png", io.BytesIO(data))) for name, data in files]
    prepared = requests.Request("POST", "http://x", files=sent, data=texts).prepare()
    assert isinstance(prepared.body, bytes)
    return prepared.body, prepared.headers["Content-Type"]


NAMES = st.text("abcimgé_ ", min_size=1, max_size=8)
TEXTS = st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))


@given(st.lists(st.tuples(NAMES, st.binary(max_size=200)), min_size=1, max_size=4), TEXTS)
@settings(max_examples=200, deadline=None)
def test_what_a_client_writes_is_read_back(
    files: list[tuple[str, bytes]], texts: dict[str, str]
) -> None:
    form = split_form(*encoded(files, texts), max_parts=100)
    assert form.files == files
    assert form.texts == texts


@pytest.mark.parametrize("size", [0, 60_000, 140_000, 1_000_000])
def test_noise_of_any_size_is_an_image_like_any_other(size: int) -> None:
    for seed in range(5):
        noise = random.Random(seed).randbytes(size)
        assert split_form(*encoded([("image", noise)], {}), max_parts=1).files[0][1] == noise


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", TYPE),
        (b"--x\r\n", TYPE),
        (part('form-data; name="image"; filename="a"', b"data"), TYPE),
        (b"--x\r\n\r\ndata\r\n--x--", TYPE),
        (part("attachment", b"data") + b"--x--", TYPE),
        (part("form-data", b"data") + b"--x--", TYPE),
        (b"--xy\r\n" + part('form-data; name="a"', b"data") + b"--x--", TYPE),
        (part('form-data; name="a"', b"data") + b"--x--", "multipart/form-data"),
        (b"\xff" * 100, "multipart/form-data; boundary=\xff"),
    ],
)
def test_a_body_that_is_none_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(MalformedError) as caught:
        split_form(body, content_type, max_parts=9)
    assert caught.value.code == "form_invalid"


def test_what_stands_before_and_behind_the_parts_is_not_read() -> None:
    body = b"preamble\r\n" + part('form-data; name="a"', b"1\r\n") + b"--x--\r\nepilogue"
    assert split_form(body, TYPE, max_parts=1).texts == {"a": "1\r\n"}


def test_parts_and_texts_are_bounded() -> None:
    parts = part('form-data; name="a"', b"1") * 3 + b"--x--"
    assert split_form(parts, TYPE, max_parts=3).texts == {"a": "1"}
    with pytest.raises(TooLargeError, match="more than 2 parts"):
        split_form(parts, TYPE, max_parts=2)
    large = part('form-data; name="a"', bytes(40_000)) + part('form-data; name="b"', bytes(40_000))
    with pytest.raises(RequestEntityTooLarge):
        split_form(large + b"--x--", TYPE, max_parts=9)
