"""Sets in the formats of other tools, read back by Readsmith's own readers."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.errors import ReadsmithError
from tests.support.labelled_images import write_zip
from trainer.pipeline.datasets.labels.found import FoundLabels
from trainer.pipeline.datasets.labels.label_row import Part
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.source import open_source
from trainer.pipeline.datasets.writers.convert import Converted, convert
from trainer.pipeline.datasets.writers.lists import FORMATS
from trainer.pipeline.datasets.writers.safe_names import safe_names

ODD_TEXTS = (
    *('a"b', '"AB"', '"', "a,b;c|d", "'00", "'=1+1", "=1+1", "-5", "+1", "@a", "0071", "1.50"),
    *(
        "שלום 12",
        "e\u0301q\u0323\u0307",
        "ＡＢ１",
        "X" * 32,
        " lead",
        "trail ",
        "a  b",
        "NA",
        "null",
    ),
    *(
        "0001.png",
        "text",
        "[A]",
        "[]",
        '[{"transcription": "B"}]',
        "{}",
        "a\\b/c",
        "#1",
        "%20",
        "Ж",
        "\u200fא",
    ),
)
ODD_NAMES = (
    *("a/1.png", "A/1.PNG", "x.png", "x.jpg", "x.gt.png", "x-2.png", "a.png", "a.png.png"),
    *("rec_gt.png", "metadata.png", "label-studio.png", "labels.png", "labels.csv/1.png"),
    *("=2.png", "'=2.png", "a b%20c.png", "a b c.png", "a,b.png", 'q"u.png', "a/ b.png"),
    *(" lead/ 1.png", "C:/d.png", "set.tar/1.png", "rec_gt.txt/2.png", "é.png", "e\u0301.png"),
    *("ab12cd34-x.png", "train/7.png", "0001.png", f"{'y' * 240}.png", " ..png", "#1.png"),
)
LABELS = dict(zip(ODD_NAMES, ODD_TEXTS, strict=True))


def write_set(folder: Path, rows: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write a set with a list that can hold anything; each image's bytes are its name."""
    for name in rows:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    lines = (json.dumps({"file_name": name, **row}) for name, row in rows.items())
    (folder / "list.jsonl").write_text("\n".join(lines))
    return folder


def read(path: Path) -> tuple[FoundLabels, dict[str, str]]:
    """Return what a set says, and the labels by what the image's bytes are."""
    source = open_source(path)
    found = find_labels(source, "auto")
    return found, {source.read(name).decode(): text for name, text in found.labels.items()}


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    return write_set(tmp_path / "odd", {name: {"text": text} for name, text in LABELS.items()})


@pytest.mark.parametrize("target", ["out", "out.zip"])
@pytest.mark.parametrize("to", FORMATS)
def test_what_is_converted_is_read_with_the_same_labels_for_the_same_images(
    to: str, target: str, odd: Path, tmp_path: Path
) -> None:
    expected = read(odd)[1]
    assert len(expected) == len(LABELS)
    done = convert(odd, tmp_path / target, "auto", to)
    found, labels = read(tmp_path / target)
    assert labels == expected
    assert (done.images, done.left_out, done.notes) == (len(LABELS), [], [])
    assert (found.problems, found.ignored) == ([], 0)


def test_names_that_some_system_or_list_cannot_hold_are_replaced(odd: Path, tmp_path: Path) -> None:
    done = convert(odd, tmp_path / "out", "auto", "readsmith")
    out = tmp_path / "out"
    written = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert {"x.png", "x.jpg", "=2.png", "a b%20c.png", "train/7.png"} <= written
    assert done.renamed["C:/d.png"] == "C_/d.png"
    assert done.renamed["a/1.png"] == "a/1-2.png"  # A/1.PNG came first
    assert len({name.casefold() for name in written}) == len(written)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/a.png", "etc/a.png"),
        ("/a.png", "a.png"),
        ("a/./b//c.png", "a/b/c.png"),
        ("a\\b.png", "a/b.png"),
        ("..\\a.png", "a.png"),
        ("a. /b .png", "a/b.png"),
        ("\u00a0.png", "_.png"),
        ("'-5.png", "_-5.png"),
        ("a/'b/.c.png", "a/_b/_c.png"),
        ("x" * 300 + ".png", "x" * 200 + ".png"),
        ("é" * 300 + ".png", "é" * 100 + ".png"),
        ("dir/" * 300 + "a.png", "a.png"),
        ("rec_gt.png", "rec_gt-2.png"),
        ("b/REC_GT.png", "b/REC_GT-2.png"),
        ("rec_gt.txt/a.png", "rec_gt.txt_/a.png"),
    ],
)
def test_a_name_stays_in_its_folder_and_where_others_can_have_it(name: str, safe: str) -> None:
    assert safe_names([name], ["rec_gt.txt"]) == {name: safe}


def test_names_in_a_zip_that_mean_one_file_are_told_apart(tmp_path: Path) -> None:
    names = ("./b.png", "c.png", "c.png/d.png", "e//f.png", "e/F.png")
    entries = {name: name.encode() for name in names}
    rows = json.dumps({name: f"T{i}" for i, name in enumerate(names)})
    write_zip(tmp_path / "set.zip", entries | {"labels.json": rows.encode()})
    convert(tmp_path / "set.zip", tmp_path / "out", "auto", "gt-txt")
    written = {p.read_bytes() for p in (tmp_path / "out").rglob("*.png") if p.is_file()}
    assert written == {name.encode() for name in names}


BEYOND = {
    "1.png": {"text": "A", "group": "m, 1", "split": "train"},
    "2.png": {"text": "B", "group": "=2", "split": "val"},
    "3.png": {"text": "C", "split": "test"},
    "4.png": {"text": "", "state": "unreadable"},
    "5.png": {"text": "E"},
}


@pytest.mark.parametrize("to", FORMATS)
def test_what_a_set_says_beyond_texts_is_kept_or_said_to_be_lost(to: str, tmp_path: Path) -> None:
    done = convert(write_set(tmp_path / "set", BEYOND), tmp_path / "out", "auto", to)
    found, labels = read(tmp_path / "out")
    kept = {
        "group": found.groups == {"1.png": "m, 1", "2.png": "=2"},
        "split": [found.parts.get(f"{i}.png", Part.TRAIN) for i in (1, 2, 3, 5)] == [0, 1, 2, 0],
        "state": labels.get("4.png") == "",
    }
    lost = {name for name in kept if any(f"({name})" in note for note in done.notes)}
    assert lost == {name for name, is_kept in kept.items() if not is_kept}
    assert lost == {
        "paddle": {"group", "state"},
        "gt-txt": {"group", "split", "state"},
    }.get(to, set())
    assert {name: text for name, text in labels.items() if text} == {
        "1.png": "A", "2.png": "B", "3.png": "C", "5.png": "E",
    }  # fmt: skip
    assert (done.images, done.unlabelled) == (5, 0)


def test_how_many_images_lose_what_a_format_cannot_say_is_said(tmp_path: Path) -> None:
    done = convert(write_set(tmp_path / "set", BEYOND), tmp_path / "out", "auto", "paddle")
    assert done.notes == [
        "The format paddle cannot say which images belong together (group): lost for 2 images.",
        "The format paddle cannot say the state of an image, as that there is nothing to read on "
        "it (state): lost for 1 images.",
    ]


UNUSABLE: dict[str, dict[str, str | None]] = {
    "1.png": {"text": "A"},
    "2.png": {"text": "a\nb\nc"},
    "3.png": {"text": "a\tb"},
    "4.png": {"text": "x" * 1001},
    "5.png": {"text": None},
}


@pytest.mark.parametrize("to", FORMATS)
def test_a_label_that_cannot_be_written_leaves_its_image_out_and_unlabelled_ones_stay(
    to: str, tmp_path: Path
) -> None:
    path = write_set(tmp_path / "set", UNUSABLE)
    (path / "6.png").write_bytes(b"6.png")
    done = convert(path, tmp_path / "out", "auto", to)
    assert {problem.file: problem.kind for problem in done.left_out} == {
        "2.png": "unprintable_label",
        "3.png": "unprintable_label",
        "4.png": "label_too_long",
    }
    assert (done.images, done.unlabelled) == (3, 2)
    assert read(tmp_path / "out")[1] == {"1.png": "A"}
    assert {p.name for p in (tmp_path / "out").glob("*.png")} == {"1.png", "5.png", "6.png"}


def test_a_mark_that_a_text_file_would_lose_leaves_its_image_out(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set", {"1.png": {"text": "A"}, "2.png": {"text": "\ufeffB"}})
    done = convert(path, tmp_path / "beside", "auto", "gt-txt")
    assert [problem.file for problem in done.left_out] == ["2.png"]
    assert "U+FEFF" in done.left_out[0].detail
    convert(path, tmp_path / "list", "auto", "paddle")
    assert read(tmp_path / "list")[1] == {"1.png": "A", "2.png": "\ufeffB"}


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set", {"1.png": {"text": "A"}, "2.png": {"text": "B"}})
    (path / "2.png").unlink()
    (path / "2.png").symlink_to("nowhere")
    done = convert(path, tmp_path / "out", "auto", "huggingface")
    assert [(problem.file, problem.detail) for problem in done.left_out] == [
        ("2.png", "It is not a regular file.")
    ]
    assert read(tmp_path / "out")[1] == {"1.png": "A"}


@pytest.mark.parametrize("target", ["taken", "taken.zip", "empty.zip"])
def test_nothing_that_exists_is_overwritten(target: str, odd: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine").write_text("mine")
    (tmp_path / "taken.zip").write_text("mine")
    (tmp_path / "empty.zip").mkdir()
    with pytest.raises(ReadsmithError) as refused:
        convert(odd, tmp_path / target, "auto", "paddle")
    assert refused.value.code == "target_exists"
    assert [p.name for p in (tmp_path / "taken").iterdir()] == ["mine"]
    assert (tmp_path / "taken.zip").read_text() == "mine"


@pytest.mark.parametrize("target", ["out", "out.zip"])
def test_of_what_fails_nothing_stays(target: str, tmp_path: Path) -> None:
    path = write_set(tmp_path / "set", {"1.png": {"text": "", "state": "unreadable"}})
    with pytest.raises(ReadsmithError) as refused:
        convert(path, tmp_path / target, "auto", "paddle")
    assert refused.value.code == "no_images"
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_what_is_written_as_a_zip_may_be_read_by_others_when_unpacked(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set", {"é/1.png": {"text": "A"}})
    done: Converted = convert(path, tmp_path / "new/out.zip", "auto", "readsmith")
    with zipfile.ZipFile(tmp_path / "new/out.zip") as archive:
        assert {i.filename: i.external_attr >> 16 for i in archive.infolist()} == {
            "é/1.png": 0o644,
            "labels.csv": 0o644,
        }
    assert done.renamed == {}
