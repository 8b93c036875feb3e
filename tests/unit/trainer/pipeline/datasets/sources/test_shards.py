import gc
import io
import os
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from tests.support.dataset_checks import check_dataset
from tests.support.hostile.tars import TARS, header, labelled_tar, tar_of
from tests.support.labelled_images import image, labelled_zip, texts, write_zip
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.sources.shards import ShardSource
from trainer.pipeline.datasets.sources.source import open_source
from trainer.pipeline.datasets.writers.pack import pack
from trainer.schemas.job_request import JobRequest
from trainer.schemas.limits import DatasetLimits
from trainer.subprocesses import in_clean_process

REQUEST = JobRequest()


def images(count: int) -> dict[str, bytes]:
    return {f"{i:04}"[::-1]: image(f"{i:04}"[::-1], seed=i) for i in range(count)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_what_pack_writes_is_read_as_the_same_set(tmp_path: Path) -> None:
    path = labelled_zip(tmp_path / "set.zip", [f"{i}{text}" for i, text in enumerate(texts(25))])
    packed = pack(path, tmp_path / "shards", "auto", 10)
    assert (packed.shards, packed.images, packed.left_out) == (3, 25, 0)
    assert packed.bytes == sum(map(len, contents(tmp_path / "shards").values()))
    plain, shards = load_dataset(path, REQUEST), load_dataset(tmp_path / "shards", REQUEST)
    assert shards.fingerprint == plain.fingerprint
    assert shards.image == plain.image
    assert shards.summary["labels_from"] == "text files beside the images"
    images = {(plain.source.read(one.name), one.label) for one in plain.train}
    assert {(shards.source.read(one.name), one.label) for one in shards.train} == images


def test_copies_and_contradictions_are_left_out_of_the_shards(tmp_path: Path) -> None:
    entries = {f"{label}.png": data for label, data in images(12).items()}
    entries |= {"copy/3000.png": entries["3000.png"], "wrong.png": entries["5000.png"]}
    packed = pack(write_zip(tmp_path / "set.zip", entries), tmp_path / "shards", "auto", 100)
    assert (packed.images, packed.left_out) == (11, 3)
    labels = set(find_labels(open_source(tmp_path / "shards"), "auto").labels.values())
    assert labels == {f"{i:04}"[::-1] for i in range(12)} - {"5000"}


def test_the_same_set_is_packed_into_the_same_bytes_in_mixed_order(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", {f"{k}.png": v for k, v in images(30).items()})
    pack(path, tmp_path / "a", "auto", 10)
    pack(path, tmp_path / "b", "auto", 10)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    with tarfile.open(tmp_path / "a" / "set-000000.tar") as tar:
        first = [tar.extractfile(name).read() for name in tar.getnames()[1::2]]  # type: ignore[union-attr]
    assert first != sorted(first)


def test_a_folder_that_holds_something_is_not_written_into(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "set.zip", {f"{k}.png": v for k, v in images(3).items()})
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "note").write_text("mine")
    with pytest.raises(ReadsmithError, match="exists already"):
        pack(path, tmp_path / "kept", "auto", 10)
    assert (tmp_path / "kept" / "note").read_text() == "mine"


def test_packing_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "set.zip", {f"{k}.png": v for k, v in images(30).items()})

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        pack(path, tmp_path / "out" / "shards", "auto", 10)
    assert list((tmp_path / "out").iterdir()) == []


def test_shards_written_by_others_are_read(tmp_path: Path) -> None:
    """As WebDataset's own writer does it: long names, times with fractions (pax), sidecars."""
    files: dict[str, bytes] = {}
    for label, data in images(12).items():
        key = f"{'deep/' * 40}{label}.v1"
        files |= {f"{key}.png": data, f"{key}.json": b"{}", f"{key}.txt": f"{label}\n".encode()}
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        (tmp_path / "set.tar").write_bytes(tar_of(files, kind))
        summary = check_dataset(tmp_path / "set.tar", REQUEST)
        assert (summary["images"], summary["ignored_files"]) == (12, 12)
        assert summary["label_lengths"] == {"4": 12}


def test_a_plain_tar_of_images_has_its_labels_in_the_file_names(tmp_path: Path) -> None:
    files = {f"set/{label}_1.png": data for label, data in images(12).items()}
    (tmp_path / "set.tar").write_bytes(tar_of(files))
    assert check_dataset(tmp_path / "set.tar", REQUEST)["labels_from"] == "file names"
    named = JobRequest.model_validate({"labels": {"filename": {"pattern": "^[0-9]+"}}})
    assert check_dataset(tmp_path / "set.tar", named)["vocabulary"] == "01"[:2] + "23456789"


def test_what_is_wrong_with_single_images_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    files = {f"{k}.png": v for k, v in images(14).items()}
    files |= {f"{k}.txt": k.encode() for k in images(12)} | {"3100.txt": b"x" * 5000}
    files |= {"bad.png": b"no image", "bad.txt": b"bad", "odd.txt": b"alone", "a\nb.png": b""}
    (tmp_path / "set.tar").write_bytes(tar_of(dict(sorted(files.items()))))
    summary = check_dataset(tmp_path / "set.tar", REQUEST)
    assert summary["images"] == 12
    assert summary["left_out"] == {
        "unprintable_name": 1,
        "missing_label": 1,
        "label_too_long": 1,
        "unreadable": 1,
    }
    assert summary["ignored_files"] == 1


def test_an_image_of_a_tar_can_be_relabelled(tmp_path: Path) -> None:
    (tmp_path / "set.tar").write_bytes(labelled_tar(images(12)))
    request = JobRequest.model_validate(
        {"relabel": {"3000.png": "XY", "4000.png": None, "gone.png": "A"}}
    )
    summary = check_dataset(tmp_path / "set.tar", request)
    assert (summary["images"], summary["left_out"]) == (11, {"dropped": 1})
    assert set("XY") <= set(summary["vocabulary"])
    assert "1 of the names in relabel are not of images" in summary["warnings"][0]


def test_a_folder_with_images_and_a_tar_is_a_folder_of_images(tmp_path: Path) -> None:
    for label, data in images(12).items():
        (tmp_path / f"{label}.png").write_bytes(data)
    (tmp_path / "backup.tar").write_bytes(labelled_tar(images(3)))
    assert check_dataset(tmp_path, REQUEST)["images"] == 12


@pytest.fixture
def no_garbage() -> Iterator[None]:
    """No garbage collection: some of these use up the stack, where finalizers would fail."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize(("data", "code", "told"), TARS.values(), ids=TARS)
def test_a_tar_that_means_harm_is_refused_with_the_entry_s_name(
    data: bytes, code: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "set.tar").write_bytes(data)
    with pytest.raises(ReadsmithError) as refused:
        open_source(tmp_path / "set.tar")
    assert refused.value.code == code
    assert told in refused.value.message
    assert refused.value.hint
    assert len(refused.value.message) < 600


@pytest.mark.parametrize("claimed", [2**40, 8**11 - 1])
def test_a_header_that_claims_to_be_huge_fills_no_memory(claimed: int, tmp_path: Path) -> None:
    with (tmp_path / "set.tar").open("wb") as file:
        file.write(header("x", claimed, b"x"))
        file.truncate(2**33)  # sparse: there is something to read
    tracemalloc.start()
    try:
        with pytest.raises(ReadsmithError, match="the header of a member has"):
            open_source(tmp_path / "set.tar")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_more_files_than_the_limit_are_refused_before_all_are_read(tmp_path: Path) -> None:
    (tmp_path / "set.tar").write_bytes(tar_of({f"{i}.x": b"" for i in range(2000)}))
    with pytest.raises(ReadsmithError, match="holds 101 files"):
        open_source(tmp_path / "set.tar", DatasetLimits(shard_files=100))


def test_a_million_files_of_one_name_are_not_held(tmp_path: Path) -> None:
    (tmp_path / "set.tar").write_bytes(header("a.png", 0, b"0") * 1500)
    tracemalloc.start()
    try:
        with pytest.raises(ReadsmithError, match="in its shard twice"):
            open_source(tmp_path / "set.tar")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_shard_that_was_cut_is_named(tmp_path: Path) -> None:
    pack(
        write_zip(tmp_path / "set.zip", {f"{k}.png": v for k, v in images(30).items()}),
        tmp_path / "shards",
        "auto",
        10,
    )
    shard = tmp_path / "shards" / "set-000001.tar"
    shard.write_bytes(shard.read_bytes()[:3000])
    with pytest.raises(ReadsmithError, match=r"set-000001\.tar cannot be read") as refused:
        open_source(tmp_path / "shards")
    assert refused.value.code == "dataset_not_a_tar"


def test_another_process_reads_the_same_images(tmp_path: Path) -> None:
    (tmp_path / "set.tar").write_bytes(labelled_tar(images(3)))
    source = open_source(tmp_path / "set.tar")
    assert in_clean_process(source.read, "1000.png") == images(3)["1000"]


def test_an_index_takes_few_bytes_of_each_image(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.TarFile(fileobj=buffer, mode="w") as tar:
        for number in range(4_000):
            tar.addfile(tarfile.TarInfo(f"{number:09}.png"))
    (tmp_path / "set.tar").write_bytes(buffer.getvalue())
    tracemalloc.start()
    try:
        source = ShardSource([tmp_path / "set.tar"], DatasetLimits())
        assert len(source.images) == 4_000
        ours = [tracemalloc.Filter(True, f"*/{file}") for file in ("trainer/*", "tarfile.py")]
        allocated = tracemalloc.take_snapshot().filter_traces(ours).statistics("filename")
        assert 0 < sum(each.size for each in allocated) < 120 * 4_000
    finally:
        tracemalloc.stop()


def test_images_with_nothing_to_read_are_not_packed(tmp_path: Path) -> None:
    drawn = {f"{i}.png": image(f"{i:03}", seed=i) for i in range(6)}
    rows = [f"{name},{i},{'unreadable' if i < 2 else ''}" for i, name in enumerate(drawn)]
    listed = "\n".join(["filename,text,state", *rows]).encode()
    packed = pack(
        write_zip(tmp_path / "set.zip", drawn | {"labels.csv": listed}),
        tmp_path / "out",
        "auto",
        10,
    )
    assert (packed.images, packed.left_out) == (4, 2)


def test_a_folder_is_no_shard_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "set.tar").mkdir()
    (tmp_path / "set.tar/AB.png").write_bytes(b"")
    assert open_source(tmp_path).names() == ["set.tar/AB.png"]
