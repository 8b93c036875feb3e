import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.dataset_checks import check_dataset
from tests.support.labelled_images import image, texts, write_zip
from trainer.pipeline.datasets.image_table import ImageTable, LabelledImage
from trainer.pipeline.datasets.labels.doubts import doubts
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.source import open_source
from trainer.schemas.job_request import JobRequest
from trainer.schemas.labels import compile_pattern

SIZE = (64, 32)


def told(folder: Path, labels: Mapping[str, str], *, listed: bool = True) -> list[str]:
    """Return the doubts about a set of images of one size."""
    entries = dict.fromkeys(labels, b"")
    if listed:
        rows = "\n".join(["filename,text", *(f'{n},"{t}"' for n, t in labels.items())])
        entries["labels.csv"] = rows.replace('"="', '"=""').encode()
    found = find_labels(open_source(write_zip(folder / "set.zip", entries)), "auto")
    images = ImageTable(
        LabelledImage(name, label, f"{i:064x}", SIZE)
        for i, (name, label) in enumerate(found.labels.items())
    )
    return doubts(found, images, {SIZE: len(images)})


def plain(count: int = 200) -> list[str]:
    return [f"AB{i * 37 % 1000:03}" for i in range(count)]


def by_number(labels: list[str]) -> dict[str, str]:
    return {f"{i:04}.png": label for i, label in enumerate(labels)}


def test_labels_as_they_should_be_are_not_doubted(tmp_path: Path) -> None:
    assert told(tmp_path, by_number(plain())) == []


@pytest.mark.parametrize(
    ("label", "what"),
    [
        ("2.24393E+12", "as a spreadsheet shortens long ones"),
        ("2,24E+12", "as a spreadsheet shortens long ones"),
        ("36791601.0", "end in .0"),
        ("=A1", "are formulas"),
        ("#N/A", "are errors of a spreadsheet"),
        ("3-Jan", "are dates"),
        ("AB\u200b12", "U+200B (zero width space), which no image can show"),
        ("\u200eAB12", "U+200E (left-to-right mark), which no image can show"),
        ("AB\u00a012", "U+00A0 (no-break space), which no image can show"),
        ("AB\uff13", "U+FF13 (fullwidth digit three), a wide form"),
        ("ABCDEFGHIJKL", "are unlike the others, most of which have 5 characters"),
        ("ab123", "are in lower case"),
    ],
)
def test_an_odd_label_is_told_of_with_its_line_and_the_remedy(
    label: str, what: str, tmp_path: Path
) -> None:
    found = told(tmp_path, by_number([*plain(), label]))
    (warning, *_) = [one for one in found if what in one]
    assert warning.startswith("1 of 201 labels ")
    assert "(labels.csv line 202)" in warning
    assert warning.endswith(".")
    assert not re.search("[\u200b\u200e\u00a0]", warning)


def test_digits_throughout_are_no_wonder_among_random_texts(tmp_path: Path) -> None:
    chance = random.Random(0)
    labels = ["".join(chance.choices("2345678bcdefgmnpwxy", k=5)) for _ in range(600)]
    few = [label for label in labels if label.isdigit()]
    assert 0 < len(few) < 6, "rare, but as many as chance makes"
    assert told(tmp_path, by_number([*labels, "4e323"])) == []


def test_digits_throughout_are_a_wonder_where_letters_have_their_place(tmp_path: Path) -> None:
    [warning] = [one for one in told(tmp_path, by_number([*plain(), "12345"])) if "unlike" in one]
    assert "12345 (labels.csv line 202)" in warning


@pytest.mark.parametrize("label", ["می\u200cخواهم", "क्\u200dष"])
def test_joiners_are_part_of_the_spelling_where_there_are_such_letters(
    label: str, tmp_path: Path
) -> None:
    found = told(tmp_path, by_number([*plain(), label]))
    assert not any("which no image can show" in one for one in found)


def test_numbers_without_any_leading_zero_in_images_of_one_size_are_doubted(
    tmp_path: Path,
) -> None:
    drawn = [f"{i * 977 % 10_000:04}" for i in range(100)]
    assert told(tmp_path, by_number(drawn)) == []
    (warning,) = told(tmp_path, by_number([str(int(label)) for label in drawn]))
    assert "may have dropped leading zeros" in warning


@pytest.mark.parametrize(
    "name",
    [
        lambda text, i: f"{text}_{i}",
        lambda text, i: f"{text}-{i:05}",
        lambda text, i: f"{text}_{i * 0x9E3779B97F4A7C15F39CC060:032x}",
        lambda text, i: f"{text}.jpg" if i % 2 else f"{text}.JPEG",
        lambda text, i: f"{text}_png.rf.{i:08x}Zz",
        lambda text, i: f"{text} ({i})" if i % 3 == 0 else text,
        lambda text, i: f"{text} - Copy" if i % 5 == 0 else text,
        lambda text, i: f"{text} - Kopie ({i})" if i % 5 == 0 else text,
        lambda text, i: f"{text} copy 2" if i % 9 == 0 else text,
        lambda text, i: f"{text}_v{i}x",
    ],
)
def test_what_follows_the_label_in_file_names_is_told_with_a_pattern_that_cuts_it_off(
    name: Callable[[str, int], str], tmp_path: Path
) -> None:
    labels = plain(60)
    names = {name(text, i): text for i, text in enumerate(labels)}
    (warning,) = told(tmp_path, {f"{one}.png": "" for one in names}, listed=False)
    pattern = warning.split("give the pattern ")[1].split(" (--labels")[0]
    compiled = compile_pattern(pattern)
    assert {one: compiled.search(one)[1] for one in names} == names  # type: ignore[index]


def test_what_is_odd_is_in_the_check(tmp_path: Path) -> None:
    labels = [f"{text}H{i}" for i, text in enumerate(texts(30))]
    entries = {f"{i:04}.png": image(text, seed=i) for i, text in enumerate(labels)}
    rows = [f"{i:04}.png,{text}" for i, text in enumerate(labels)]
    rows += ["0029.png,A,B", "0028.png,", "gone.png,X"]
    rows[3] += "\u200b"
    entries["labels.csv"] = "\n".join(["filename,text", *rows]).encode()
    warnings = check_dataset(write_zip(tmp_path / "set.zip", entries), JobRequest())["warnings"]
    assert any("<U+200B>" in one for one in warnings)
    assert any(one.startswith("1 rows cannot be read") and "line 32" in one for one in warnings)
    assert any(one.startswith("1 rows name an image and no text") for one in warnings)
    assert any("labels.csv line 34 names no file here" in one for one in warnings)


def test_an_image_that_a_row_may_mean_is_not_called_unlisted(tmp_path: Path) -> None:
    entries = {"a/1.png": b"", "b/1.png": b"", "labels.csv": b"filename,text\n1.png,AB\n"}
    found = find_labels(open_source(write_zip(tmp_path / "set.zip", entries)), "auto")
    assert {problem.kind for problem in found.problems} == {"missing_image", "missing_label"}
    assert all("may mean a/1.png or b/1.png" in problem.detail for problem in found.problems)
