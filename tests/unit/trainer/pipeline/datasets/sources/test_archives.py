import bz2
import gc
import gzip
import io
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from shared.errors import ReadsmithError
from tests.support.labelled_images import image, write_zip
from trainer.api.app import create_app
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.source import open_source
from trainer.schemas.limits import DatasetLimits
from trainer.settings import Settings
from trainer.subprocesses import in_clean_process

FILES = {
    "set/a.png": image("a"),
    "set/b.png": image("b"),
    "set/.hidden.png": b"",
    "set/labels.csv": b"filename,text\na.png,A\nb.png,B\n",
}
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}


def tar_of(files: dict[str, bytes], *members: tarfile.TarInfo) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in members:
            tar.addfile(member)
    return data.getvalue()


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))


@pytest.mark.parametrize("ending", COMPRESS)
def test_a_compressed_tar_is_a_folder_of_files_and_leaves_none_behind(
    ending: str, tmp_path: Path
) -> None:
    path = written(tmp_path / f"set.{ending}", COMPRESS[ending](tar_of(FILES)))
    source = open_source(path)
    assert source.names() == ["set/a.png", "set/b.png", "set/labels.csv"]
    assert source.read("set/b.png") == FILES["set/b.png"]
    assert find_labels(source, "auto").labels == {"set/a.png": "A", "set/b.png": "B"}
    assert in_clean_process(source.read, "set/a.png") == FILES["set/a.png"]
    del source
    gc.collect()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_plain_tar_with_a_list_of_labels_is_a_folder_of_files(tmp_path: Path) -> None:
    for name in ("labels.csv", "rec_gt.txt"):
        listed = {"a.png": b"x", "b.png": b"y", name: b"a.png\tA\nb.png\tB\n"}
        source = open_source(written(tmp_path / "set.tar", tar_of(listed)))
        assert find_labels(source, "auto").labels == {"a.png": "A", "b.png": "B"}


def test_a_list_in_one_of_several_tars_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for number in range(2):
        written(tmp_path / "set" / f"{number}.tar", tar_of({"labels.csv": b"", "a.png": b""}))
    with pytest.raises(ReadsmithError, match=r"0\.tar holds labels\.csv"):
        open_source(tmp_path / "set")


@pytest.mark.parametrize("ending", COMPRESS)
def test_a_compressed_tar_that_was_cut_is_told_as_such(ending: str, tmp_path: Path) -> None:
    data = COMPRESS[ending](tar_of({f"{i}.png": image(str(i), seed=i) for i in range(50)}))
    for part in (len(data) // 2, len(data) - 9):
        with pytest.raises(ReadsmithError) as refused:
            open_source(written(tmp_path / "set", data[:part]))
        assert refused.value.code in ("dataset_not_a_tar", "dataset_not_a_zip")
    assert list((tmp_path / "scratch").iterdir()) == []


def link(kind: bytes, name: str = "a.png") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (tar_of({"../a.png": b"x"}), "leads outside its folder"),
        (tar_of({"/a.png": b"x"}), "has an absolute path"),
        (tar_of({}, link(tarfile.SYMTYPE)), "is a link"),
        (tar_of({}, link(tarfile.LNKTYPE)), "is a link"),
        (tar_of({}, link(tarfile.FIFOTYPE)), "is a device"),
        (tar_of({"a.png": b"x", "./a.png": b"y"}), "is in its tar twice"),
        (tar_of({"a.png": bytes(20_000_000)}), "more than 100 times its size"),
    ],
)
@pytest.mark.parametrize("ending", COMPRESS)
def test_a_compressed_tar_that_means_harm_is_refused_and_cleared_away(
    data: bytes, told: str, ending: str, tmp_path: Path
) -> None:
    with pytest.raises(ReadsmithError, match=told) as refused:
        open_source(written(tmp_path / "set", COMPRESS[ending](data)))
    assert refused.value.code == "dataset_unsafe"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_compressed_tar_is_held_to_the_limits(tmp_path: Path) -> None:
    path = written(tmp_path / "set.tgz", gzip.compress(tar_of(FILES)))
    assert open_source(path, DatasetLimits(files=3)).names()
    with pytest.raises(ReadsmithError, match="holds 3 files"):
        open_source(path, DatasetLimits(files=2))
    large = written(tmp_path / "large.tgz", gzip.compress(tar_of({"a.png": bytes(30_000)})))
    with pytest.raises(ReadsmithError, match="decompresses to more than 10,000 bytes"):
        open_source(large, DatasetLimits(files=2, bytes=10_000))


def test_an_xz_that_asks_for_gigabytes_of_memory_is_refused(tmp_path: Path) -> None:
    huge = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
    data = bytearray(lzma.compress(tar_of(FILES), filters=huge))
    at = data.index(b"\x21\x01") + 2  # LZMA2, one byte of properties: the dictionary's size
    data[at] = 37  # 2 GiB
    header = data[12 : 12 + (data[12] + 1) * 4]
    data[12 + len(header) - 4 : 12 + len(header)] = zlib.crc32(bytes(header[:-4])).to_bytes(
        4, "little"
    )
    with pytest.raises(ReadsmithError) as refused:
        open_source(written(tmp_path / "set.tar.xz", bytes(data)))
    assert refused.value.code == "dataset_not_a_zip"


ZIP = b"PK\x03\x04" + bytes(60)


@pytest.mark.parametrize(
    ("data", "told", "remedy"),
    [
        (b"", "has 0 bytes", "again"),
        (b"\n <!DOCTYPE html><html>", "is a web page", "the link of the download itself"),
        (b"\xef\xbb\xbf<html>", "is a web page", "dl=1"),
        (b"Rar!\x1a\x07\x01\0", "is a RAR archive", "as a zip"),
        (b"7z\xbc\xaf\x27\x1c", "is a 7z archive", "as a zip"),
        (ZIP, "cut short", "again"),
        (gzip.compress(b"hello", mtime=0), "gzip file without a whole tar", "tar.gz"),
        (bz2.compress(b"hello"), "bzip2 file without a whole tar", "zip"),
        (lzma.compress(b"hello"), "xz file without a whole tar", "zip"),
        (image("a"), "is a single image", "at least ten"),
        (b"%PDF-1.7", "is a PDF", "images"),
        (b"\x28\xb5\x2f\xfd", "Zstandard", "as a zip"),
    ],
)
def test_what_is_no_archive_is_called_what_it_is(
    data: bytes, told: str, remedy: str, tmp_path: Path
) -> None:
    with pytest.raises(ReadsmithError, match=told) as refused:
        open_source(written(tmp_path / "set.zip", data))
    assert refused.value.code == "dataset_not_a_zip"
    assert remedy in refused.value.hint


def test_half_a_zip_is_told_as_such(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", FILES)
    with pytest.raises(ReadsmithError, match="cut short"):
        open_source(written(tmp_path / "half.zip", path.read_bytes()[:-200]))


def test_a_compressed_tar_can_be_uploaded_and_a_page_cannot(settings: Settings) -> None:
    packed = gzip.compress(tar_of(FILES))
    with TestClient(create_app(settings)) as api:
        taken = api.post("/datasets", files={"file": ("set.tar.gz", packed)})
        page = api.post("/datasets", files={"file": ("set.zip", b"<html>")})
    assert taken.status_code == 201
    assert (page.status_code, page.json()["code"]) == (422, "dataset_not_a_zip")
    assert "web page" in page.json()["detail"]
