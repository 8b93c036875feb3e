"""Feeds parsers with valid inputs that were flipped, cut, spliced and repeated.

Only the errors that a parser documents may come out. What is found becomes a test of its own.
"""

import csv
import io
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning
from pydantic import ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from predictor.requests.images import JsonBody
from predictor.requests.multipart import split_form
from predictor.requests.problems import validated
from shared.errors import ImageRejectedError, ReadsmithError
from shared.patterns.automaton import build_automaton
from shared.patterns.limits import Limits
from shared.recognition.preprocessing import open_image
from shared.store.manifest import (
    GOLDEN_PREDICTIONS,
    KERAS_MODEL,
    MANIFEST,
    ONNX_MODEL,
    FileEntry,
    read_manifest,
)
from tests.support.hostile.zips import packed
from tests.support.models.bundles import encoded, image, manifest
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.source import open_source
from trainer.schemas.job_request import JobRequest

NUMBERS = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\x80\0")
"""At the edges of what a field holds, in both orders of bytes."""

Step = tuple[str, int, int, bytes]
"""What to do, where, over how many bytes, with what."""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("flip", "cut", "splice", "repeat", "write", "number")),
        st.integers(0, 1 << 20),
        st.integers(0, 40),
        st.binary(max_size=6),
    ),
    min_size=1,
    max_size=6,
)


def mutated(data: bytes, other: bytes, steps: Sequence[Step]) -> bytes:
    """Carry out the steps on data; splices come from the other input."""
    changed = bytearray(data)
    for what, where, length, extra in steps:
        at = where % (len(changed) + 1)
        piece = bytes(changed[at : at + length])
        if what == "flip" and piece:
            changed[at] ^= 1 << (length % 8)
        elif what == "cut":
            del changed[at : at + length]
        elif what == "splice":
            begin = where % (len(other) + 1)
            changed[at:at] = other[begin : begin + length]
        elif what == "repeat":
            changed[at:at] = piece * (where % 50)
        elif what == "write":
            changed[at : at + len(extra)] = extra
        elif what == "number":
            number = NUMBERS[where % len(NUMBERS)]
            changed[at : at + len(number)] = number
    return bytes(changed)


@dataclass(frozen=True)
class Target:
    """Valid inputs of a parser, and a call of it that lets only undocumented errors out."""

    seeds: Sequence[bytes]
    parse: Callable[[bytes], None]


def fuzz(target: Target, examples: int, number: int) -> int:
    """Try so many mutations; return how many there were. number: seed of the random choices.

    Raises what the parser raises.
    """
    tried = 0

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(st.sampled_from(target.seeds), st.sampled_from(target.seeds), STEPS)
    def check(data: bytes, other: bytes, steps: list[Step]) -> None:
        nonlocal tried
        tried += 1
        target.parse(mutated(data, other, steps))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)
        check()
    return tried


def fuzz_for(target: Target, seconds: float, round_of: int = 300) -> int:
    """Fuzz for this time; return how many mutations were tried."""
    end = time.monotonic() + seconds
    tried = rounds = 0
    while time.monotonic() < end:
        tried += fuzz(target, round_of, rounds)
        rounds += 1
    return tried


def parse_image(data: bytes) -> None:
    with suppress(ImageRejectedError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert open_image(data).mode in ("L", "RGB")


def parse_zip(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, suppress(ReadsmithError):
        path = Path(folder, "set.zip")
        path.write_bytes(data)
        source = open_source(path)
        for name in source.names():
            with suppress(UnreadableEntryError):
                source.read(name)
        find_labels(source, "auto")


def parse_labels(data: bytes) -> None:
    for name in ("labels.csv", "labels.tsv"):
        parse_zip(packed({name: data, "1.png": b"", "x/2.png": b""}, zipfile.ZIP_STORED))


def parse_manifest(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, suppress(ReadsmithError):
        Path(folder, MANIFEST).write_bytes(data)
        read_manifest(Path(folder))


def parse_pattern(data: bytes) -> None:
    with suppress(ReadsmithError):
        pattern = data.decode("utf-8", "replace")
        build_automaton(Limits(pattern), tuple("abc0123"), 12)


def parse_form(data: bytes) -> None:
    content_type, _, body = data.partition(b"\n")
    with suppress(ReadsmithError, RequestEntityTooLarge):
        split_form(body, content_type.decode("latin-1"), 9)


def parse_json(data: bytes) -> None:
    with suppress(ReadsmithError):
        assert isinstance(validated(JsonBody, data), JsonBody)


def parse_job(data: bytes) -> None:
    with suppress(ValidationError):
        JobRequest.model_validate_json(data)


def label_file(delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    rows = [("filename", "text"), ("1.png", 'a"b'), ("x/2.png", "é,\n1"), ("3.png", "")]
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode()


def images() -> list[bytes]:
    drawn = image("cab")
    frames = {"save_all": True, "append_images": [image("a")]}
    return [
        *(
            encoded(drawn, one)
            for one in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF")
        ),
        *(encoded(drawn, one, **frames) for one in ("PNG", "GIF", "WEBP", "TIFF")),
        *(
            encoded(drawn.convert("RGB"), "TIFF", compression=one)
            for one in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "lzma", "zstd")
        ),
        encoded(drawn.convert("1"), "TIFF", compression="group4"),
        encoded(drawn.convert("RGB"), "JPEG", progressive=True, exif=b"Exif\0\0II*\0\x08\0\0\0"),
        encoded(drawn.convert("P"), transparency=3),
        encoded(drawn.convert("LA")),
        encoded(drawn.convert("CMYK"), "JPEG"),
    ]


def good_manifest() -> bytes:
    entry = FileEntry(size=1, sha256="0" * 64)
    files = dict.fromkeys((KERAS_MODEL, ONNX_MODEL, GOLDEN_PREDICTIONS), entry)
    return manifest(1, files).model_dump_json().encode()


TARGETS = {
    "image": Target(images(), parse_image),
    "zip": Target(
        [
            packed({"labels.csv": label_file(","), "1.png": images()[0], "x/2.png": bytes(99)}),
            packed({"é.png": b"1", "京.png": b"2"}, zipfile.ZIP_STORED),
            packed({"a.png": bytes(999)}, zipfile.ZIP_BZIP2),
        ],
        parse_zip,
    ),
    "labels": Target(
        [label_file(","), label_file("\t"), b"\xef\xbb\xbf" + label_file(",")],
        parse_labels,
    ),
    "manifest": Target([good_manifest()], parse_manifest),
    "pattern": Target(
        [
            one.encode()
            for one in (r"[a-z]{2}\d+", "(ab|c(0|1)*){1,3}", "[^0-9]?", r"\[é\]", "(((a)))")
        ],
        parse_pattern,
    ),
    "multipart": Target(
        [
            b"multipart/form-data; boundary=x\n"
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\nPNG\r\n'
            b'--x\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n3\r\n--x--\r\n',
            b"multipart/form-data; boundary*=utf-8''%78\n"
            b"--x\r\nContent-Disposition: form-data; name*=utf-8''%e2%82%ac\r\n\r\n1\r\n--x--",
        ],
        parse_form,
    ),
    "json": Target(
        [
            b'{"image": "YWJj", "top_k": 3, "pattern": "[a-z]", "min_confidence": 0.5}',
            b'{"images": ["YQ==", "\\ud83d\\ude00"], "model": "default", "version": 1}',
        ],
        parse_json,
    ),
    "job": Target(
        [
            b'{"dataset": {"url": "https://a.example:8443/x.zip"}, "seed": 1, "base": 3,'
            b' "labels": {"filename": {"pattern": "^(?P<text>.+)_[0-9]{1,9}$"}}}',
            b'{"dataset": {"synthetic": {"images": 10}}, "metadata": {"a": "\\u00e9"},'
            b' "hyperparameters": {"learning_rate": 1e-3, "epochs": "auto"}}',
        ],
        parse_job,
    ),
}
