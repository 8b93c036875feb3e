import io
import os
import struct
import zipfile
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from tests.support.labelled_images import write_zip
from trainer.pipeline.datasets.sources import image_files
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.source import open_source
from trainer.schemas.limits import DatasetLimits

ENTRIES = {
    "set/a.png": b"a",
    "set/deeper/b.png": b"b",
    "__MACOSX/set/._a.png": b"junk",
    "set/.hidden/c.png": b"junk",
    "set/.DS_Store": b"junk",
}


def folder_of(path: Path, entries: dict[str, bytes]) -> Path:
    for name, data in entries.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def test_a_zip_shows_its_visible_files_only(tmp_path: Path) -> None:
    source = open_source(write_zip(tmp_path / "set.zip", ENTRIES))
    assert source.names() == ["set/a.png", "set/deeper/b.png"]
    assert source.read("set/deeper/b.png") == b"b"


def test_a_folder_shows_the_same_files_as_its_zip(tmp_path: Path) -> None:
    source = open_source(folder_of(tmp_path, ENTRIES))
    assert source.names() == ["set/a.png", "set/deeper/b.png"]
    assert source.read("set/a.png") == b"a"


def test_names_in_utf8_are_understood_even_when_the_zip_does_not_say_so(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("京A1.png", b"x")
    unmarked = bytearray(data.getvalue())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = unmarked.index(signature) + offset
        flags = struct.unpack_from("<H", unmarked, at)[0]
        struct.pack_into("<H", unmarked, at, flags & ~0x800)
    path = tmp_path / "set.zip"
    path.write_bytes(unmarked)
    assert open_source(path).names() == ["京A1.png"]


def test_what_is_missing_or_no_zip_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(ReadsmithError, match="is not a zip"):
        open_source(tmp_path / "text.zip")
    with pytest.raises(ReadsmithError, match=r"There is no .*gone"):
        open_source(tmp_path / "gone")


def test_a_damaged_entry_is_unreadable_and_its_neighbour_is_not(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", {"a.png": b"aaaaaaaa", "b.png": b"bbbbbbbb"})
    path.write_bytes(path.read_bytes().replace(b"aaaaaaaa", b"aaaaXaaa"))
    source = open_source(path)
    with pytest.raises(UnreadableEntryError, match="CRC"):
        source.read("a.png")
    assert source.read("b.png") == b"bbbbbbbb"


def test_an_entry_that_unpacks_too_large_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "MAX_ENTRY_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(100_000))
    with pytest.raises(UnreadableEntryError, match="larger than 1,000 bytes"):
        open_source(tmp_path / "bomb.zip").read("a.png")


def test_a_folder_of_too_many_files_is_refused(tmp_path: Path) -> None:
    source = open_source(folder_of(tmp_path, ENTRIES), DatasetLimits(files=1))
    with pytest.raises(ReadsmithError, match="holds 2 files"):
        source.names()


def test_what_is_no_regular_file_is_unreadable_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("/dev/zero")
    source = open_source(tmp_path)
    for name in source.names():
        with pytest.raises(UnreadableEntryError, match="not a regular file"):
            source.read(name)
