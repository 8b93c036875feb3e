"""Zips that mean harm: refused with the entry's name, or read without it, and nothing written."""

import json
import stat
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from readsmith.__main__ import app
from shared.errors import ReadsmithError
from tests.support.dataset_checks import check_dataset
from tests.support.hostile.zips import (
    CENTRAL,
    LOCAL,
    claiming,
    crowded,
    flagged,
    method,
    overlapping,
    packed,
    patched,
    with_entry,
)
from tests.support.labelled_images import image, texts, write_zip
from trainer.api.app import create_app
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.source import open_source
from trainer.pipeline.datasets.sources.zip_file import open_zip
from trainer.schemas.job_request import JobRequest
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits
from trainer.settings import Settings
from trainer.workers.job_process import explain_failure

REQUEST = JobRequest.model_validate({"labels": "manifest"})
LABELS = texts(12)
GOOD = {f"{number:02}.png": image(text, seed=number) for number, text in enumerate(LABELS)}
ENTRY = packed({"a.png": b"a" * 100})
HALF_A_BOMB = {f"{number}.png": bytes(999_999) for number in range(11)}

BREACHES: dict[str, tuple[bytes, str, str]] = {
    "parent folder": (with_entry("x/../../a.png"), "dataset_unsafe", "a.png leads out"),
    "parent, other slash": (with_entry("..\\a.png"), "dataset_unsafe", "../a.png leads out"),
    "absolute": (with_entry("/etc/a.png"), "dataset_unsafe", "/etc/a.png has an absolute"),
    "share": (with_entry("\\\\host\\a.png"), "dataset_unsafe", "//host/a.png has an absolute"),
    "drive": (with_entry("C:\\a.png"), "dataset_unsafe", "C:/a.png has an absolute"),
    "hidden": (with_entry(".x/../../a.png"), "dataset_unsafe", "a.png leads out"),
    "link": (with_entry("a.png", b"/etc/passwd", stat.S_IFLNK), "dataset_unsafe", "a.png is a li"),
    "device": (with_entry("a.png", b"", stat.S_IFCHR), "dataset_unsafe", "a.png is a device"),
    "disk": (with_entry("a.png", b"", stat.S_IFBLK), "dataset_unsafe", "a.png is a device"),
    "pipe": (with_entry("a.png", b"", stat.S_IFIFO), "dataset_unsafe", "a.png is a device"),
    "socket": (with_entry("a.png", b"", stat.S_IFSOCK), "dataset_unsafe", "a.png is a device"),
    "NUL": (with_entry("a.pngXb").replace(b"gX", b"g\0"), "dataset_unsafe", "a.png has a NUL"),
    "long name": (with_entry("a" * 60_000), "dataset_unsafe", "name of 60,000 characters"),
    "encrypted": (flagged(ENTRY, 0x1), "dataset_encrypted", "a.png is encrypted"),
    "strongly encrypted": (flagged(ENTRY, 0x41), "dataset_encrypted", "a.png is encrypted"),
    "ratio": (packed({"a.png": bytes(2_000_000)}), "dataset_unsafe", "a.png decompresses to"),
    "ratio of all": (packed(HALF_A_BOMB), "dataset_unsafe", "0.png is the largest of a zip that"),
    "overlap": (overlapping(5), "dataset_unsafe", "0000.png shares bytes with the entry 0001.png"),
    "one for many": (crowded(5), "dataset_unsafe", "a shares bytes with the entry a"),
    "into the directory": (
        patched(ENTRY, {LOCAL: 18, CENTRAL: 20}, "<L", 5000),
        "dataset_unsafe",
        "a.png overlaps the directory",
    ),
    "name twice": (
        packed({"a.png": b"1", "b.png": b"2"}).replace(b"b.png", b"a.png"),
        "dataset_unsafe",
        "two entries named a.png",
    ),
    "name twice, other slash": (
        packed({"x/a.png": b"1", "x\\a.png": b"2"}),
        "dataset_unsafe",
        "two entries named x/a.png",
    ),
    "escape sequence": (
        with_entry("\x1b[2J/../a"),
        "dataset_unsafe",
        "entry \\u001b[2J/../a leads",
    ),
}


def files_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize(("data", "code", "told"), BREACHES.values(), ids=BREACHES)
def test_a_breach_is_refused_with_the_entry_s_name_and_nothing_is_written(
    data: bytes, code: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deep" / "job" / "set.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    monkeypatch.chdir(path.parent)
    before = files_below(tmp_path)
    with pytest.raises(ReadsmithError) as refused:
        check_dataset(path, REQUEST)
    failure = explain_failure(refused.value)  # as the job tells it
    assert (failure.code, told in failure.message) == (code, True), failure
    assert refused.value.hint
    assert len(refused.value.message) < 600
    assert files_below(tmp_path) == before


@pytest.mark.parametrize(
    ("limits", "code", "told"),
    [
        (DatasetLimits(files=3), "dataset_too_many_files", "holds 4 files"),
        (DatasetLimits(bytes=350), "dataset_too_large", "the entry 3.png is the first beyond"),
    ],
)
def test_limits_are_those_that_were_set(
    limits: DatasetLimits, code: str, told: str, tmp_path: Path
) -> None:
    path = write_zip(tmp_path / "set.zip", {f"{number}.png": bytes(100) for number in range(4)})
    with pytest.raises(ReadsmithError, match=told) as refused:
        check_dataset(path, REQUEST, limits)
    assert refused.value.code == code
    assert open_source(path, DatasetLimits(files=4, bytes=400)).names()


def test_a_white_bitmap_is_no_bomb(tmp_path: Path) -> None:
    white = b"BM" + b"\xff" * 900_000
    (tmp_path / "set.zip").write_bytes(packed({"white.bmp": white}))
    assert open_source(tmp_path / "set.zip").read("white.bmp") == white


LEFT_OUT: dict[str, Callable[[bytes], bytes]] = {
    "wrong checksum": lambda data: patched(data, {CENTRAL: 16}, "<L", 7),
    "another name in its header": lambda data: data.replace(b"00.png", b"zz.png", 1),
    "a packing that is not read": lambda data: method(data, zipfile.ZIP_LZMA),
    "a packing that does not exist": lambda data: method(data, 99),
    "patched data": lambda data: flagged(data, 0x20),
    "more than it says": lambda data: claiming(data, 10),
    "damaged within": lambda data: data[:60] + bytes(20) + data[80:],
}


@pytest.mark.parametrize("damage", LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_damaged_entry_is_left_out_and_reported_and_the_others_are_read(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    (tmp_path / "set.zip").write_bytes(damage(packed(GOOD | {"labels.csv": label_file()})))
    summary = check_dataset(tmp_path / "set.zip", REQUEST)
    assert summary["left_out"] == {"unreadable": 1}
    assert (summary["images"], summary["problems"][0]["file"]) == (len(GOOD) - 1, "00.png")


def label_file() -> bytes:
    rows = [f"{name},{text}" for name, text in zip(GOOD, LABELS, strict=True)]
    return "\n".join(["filename,text", *rows]).encode()


def test_a_zip_inside_is_never_opened(tmp_path: Path) -> None:
    inner = packed({"x.png": GOOD["00.png"]})
    entries = GOOD | {"labels.csv": label_file(), "inner.zip": inner, "12.png": inner}
    summary = check_dataset(write_zip(tmp_path / "set.zip", entries), REQUEST)
    assert summary["ignored_files"] == 1
    assert summary["left_out"] == {"missing_label": 1}
    by_name = REQUEST.model_copy(update={"labels": "filename"})
    assert check_dataset(tmp_path / "set.zip", by_name)["left_out"] == {"unreadable": 1}


def test_names_in_odd_encodings_are_read_and_shown_without_control_characters(
    tmp_path: Path,
) -> None:
    data = packed(
        {
            "caf\xe9.png": b"",
            "\u202egnp.png": b"",
            "\x1b[2J.png": b"",
            "Icon\r": b"",
            "cp437.png": b"",
            "cp932.png": b"",
        }
    )
    data = data.replace(b"cp437", b"\x82\x8a\x8d\xa1\xa4")  # é, è, ì, í, ñ, without a flag
    data = data.replace(b"cp932", b"\x8e\x9a\x83A1")
    (tmp_path / "set.zip").write_bytes(data)
    source = open_source(tmp_path / "set.zip")
    assert {"caf\xe9.png", "\u202egnp.png", "éèìíñ.png", "ÄÜâA1.png"} < set(source.names())
    with pytest.raises(ReadsmithError) as refused:
        check_dataset(tmp_path / "set.zip", REQUEST.model_copy(update={"labels": "filename"}))
    assert r"\u001b[2J.png: Its name holds control characters, or is" in refused.value.message
    assert "\x1b" not in refused.value.message
    assert "other files: 1;" in refused.value.message or "other files: 1." in refused.value.message


def test_a_directory_of_too_many_entries_is_refused_before_it_fills_the_memory(
    tmp_path: Path,
) -> None:
    (tmp_path / "set.zip").write_bytes(crowded(50_000))
    tracemalloc.start()
    try:
        with pytest.raises(ReadsmithError, match="holds 50,000 files"):
            open_zip(tmp_path / "set.zip", DatasetLimits(files=10_000))
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method_used", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_entry_that_hides_its_size_is_never_unpacked_beyond_it(
    method_used: int, tmp_path: Path
) -> None:
    data = claiming(packed({"a.png": bytes(5_000_000)}, method_used), 1000)
    (tmp_path / "set.zip").write_bytes(data)
    source = open_source(tmp_path / "set.zip")
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableEntryError, match=r"CRC|than deflate"):
            source.read("a.png")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (ENTRY[:-10], "not a zip"),
        (patched(ENTRY, {CENTRAL: 6}, "<H", 99), "version 9.9"),
        (ENTRY.replace(CENTRAL, b"PK\1\1"), "magic number"),
        (flagged(with_entry("\xff.png").replace(b"\xc3\xbf", b"\xff\xfe"), 0x800), "utf-8"),
    ],
)
def test_a_broken_directory_is_told_as_such(data: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(data)
    with pytest.raises(ReadsmithError, match=told) as refused:
        open_source(tmp_path / "set.zip")
    assert refused.value.code == "dataset_not_a_zip"


def test_the_command_line_holds_to_the_limits_of_the_environment(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", GOOD | {"labels.csv": label_file()})
    few = {"READSMITH_MAX_DATASET_FILES": "12"}
    refused = CliRunner().invoke(app, ["datasets", "check", str(path)], env=few)
    assert refused.exit_code == 1
    assert "holds 13 files" in str(refused.exception) + refused.output
    accepted = CliRunner().invoke(app, ["datasets", "check", str(path), "--json"])
    assert json.loads(accepted.stdout)["images"] == len(GOOD)


def test_an_upload_that_means_harm_is_refused_at_once(settings: Settings) -> None:
    files = {"file": ("set.zip", with_entry("../a.png"))}
    with TestClient(create_app(settings)) as api:
        answer = api.post("/datasets", files=files)
    assert (answer.status_code, answer.json()["code"]) == (422, "dataset_unsafe")
    assert "../a.png leads outside its folder" in answer.json()["detail"]
    assert not list(settings.uploads.iterdir())


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert DatasetLimits(200_000, 1_000_000_000, 100) == DEFAULT_LIMITS
