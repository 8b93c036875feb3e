import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import ReadsmithError
from shared.recognition.image_spec import ImageSpec
from shared.recognition.vocabulary import Vocabulary
from tests.support.dataset_checks import check_dataset
from tests.support.labelled_images import image, labelled_zip, texts, write_zip
from tests.support.models.bundles import encoded
from tests.support.plates import plate, plate_texts
from trainer.pipeline.datasets.dataset import Base, Rehearsal
from trainer.pipeline.datasets.image_table import ImageTable, LabelledImage
from trainer.pipeline.datasets.load import labelled_images, load_dataset
from trainer.pipeline.datasets.parts.split import split
from trainer.pipeline.datasets.seen_images import HASH_LENGTH
from trainer.schemas.job_request import Hyperparameters, JobRequest

REQUEST = JobRequest(evaluation="test_part")


def an_image(number: int, label: str) -> LabelledImage:
    content = hashlib.sha256(b"%d" % number).hexdigest()
    return LabelledImage(f"{number}.png", label, content, (8, 8))


def some_images(count: int) -> ImageTable:
    return ImageTable(an_image(i, "AB"[i % 2]) for i in range(count))


def in_parts(images: ImageTable, request: JobRequest) -> list[list[LabelledImage]]:
    return [list(part) for part in split(images, request).parts]


def numbered(count: int) -> dict[str, bytes]:
    return {f"{i:03}"[::-1] + ".png": image(f"{i:03}"[::-1], seed=i) for i in range(count)}


@given(st.integers(10, 300), st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_the_parts_hold_every_image_once(count: int, seed: int) -> None:
    parts = split(some_images(count), JobRequest(seed=seed)).parts
    names = [image.name for part in parts for image in part]
    assert sorted(names) == sorted(image.name for image in some_images(count))
    assert all(parts)


def test_the_seed_decides_the_split() -> None:
    images = some_images(100)
    assert in_parts(images, JobRequest(seed=1)) == in_parts(images, JobRequest(seed=1))
    assert in_parts(images, JobRequest(seed=1)) != in_parts(images, JobRequest(seed=2))


def test_limiting_the_images_leaves_the_test_part_as_it_is() -> None:
    limited = JobRequest(hyperparameters=Hyperparameters(limit_images=20))
    train, validation, test = in_parts(some_images(200), limited)
    assert len(train) + len(validation) == 20
    assert test == in_parts(some_images(200), REQUEST)[2]


def test_what_the_base_version_has_seen_is_not_tested_while_there_is_anything_else() -> None:
    images = some_images(100)
    for unseen in (10, 15, 100):
        seen = frozenset(image.content[:HASH_LENGTH] for image in images[unseen:])
        _, _, test = split(images, JobRequest(), seen).parts
        assert not seen & {image.content[:HASH_LENGTH] for image in test}
    seen = frozenset(image.content[:HASH_LENGTH] for image in images)
    _, _, test = split(images, JobRequest(), seen).parts
    assert len(test) == 10


def test_a_test_part_that_the_base_version_has_seen_is_warned_of(tmp_path: Path) -> None:
    dataset = write_zip(tmp_path / "set.zip", numbered(60))
    first = load_dataset(dataset, REQUEST)
    everything = frozenset(i.content[:16] for i in (*first.train, *first.validation, *first.test))
    base = Base("m/1", first.image, first.vocabulary, {}, everything, Rehearsal())
    again = load_dataset(dataset, REQUEST, base)
    assert "was trained on 6 of the 6 test images" in again.summary["warnings"][-1]


def test_a_character_seen_once_is_learned_not_tested() -> None:
    for seed in range(10):
        images = ImageTable([*some_images(50), an_image(50, "AZ")])
        train, _, _ = split(images, JobRequest(seed=seed)).parts
        assert images[-1] in train


def test_copies_are_dropped_by_what_they_show_before_the_split(tmp_path: Path) -> None:
    entries = numbered(20)
    copies = {f"copy/{name}": data for name, data in entries.items()}
    summary = check_dataset(write_zip(tmp_path / "set.zip", entries | copies), REQUEST)
    assert summary["images"] == 20
    assert summary["left_out"] == {"duplicate": 20}


def test_one_image_with_two_labels_is_left_out_with_all_its_copies(tmp_path: Path) -> None:
    entries = numbered(20)
    entries |= {"wrong.png": entries["300.png"]}
    summary = check_dataset(write_zip(tmp_path / "set.zip", entries), REQUEST)
    assert summary["images"] == 19
    assert summary["left_out"] == {"conflicting_labels": 2}
    assert {problem["file"] for problem in summary["problems"]} == {"300.png", "wrong.png"}


def test_a_few_bad_files_are_reported_and_not_fatal(tmp_path: Path) -> None:
    entries = numbered(20) | {"bad.png": b"not an image", "cut.png": image("999")[:100]}
    summary = check_dataset(write_zip(tmp_path / "set.zip", entries), REQUEST)
    assert summary["images"] == 20
    assert summary["left_out"] == {"unreadable": 2}
    assert summary["split"] == {"train": 16, "validation": 2, "test": 2}
    assert summary["sizes"] == {"64x32": 20}
    assert summary["modes"] == {"L": 20}


def test_too_few_usable_images_are_an_error_that_counts_and_explains(tmp_path: Path) -> None:
    entries = numbered(4) | {f"bad{i}.png": b"no" for i in range(3)} | {"notes.txt": b""}
    with pytest.raises(ReadsmithError) as caught:
        check_dataset(write_zip(tmp_path / "set.zip", entries), REQUEST)
    assert caught.value.code == "too_few_images"
    assert "4 usable" in caught.value.message
    assert "3 unreadable" in caught.value.message
    assert all(f"bad{i}.png: " in caught.value.message for i in range(3))
    assert "other files: 1" in caught.value.message


@pytest.mark.parametrize(
    ("entries", "labels", "help_"),
    [
        ({f"{i}.heic": b"" for i in range(12)}, "auto", ".png"),
        ({"nested.zip": b"PK"}, "auto", "archives inside an archive are not read"),
        (
            {f"{i}.png": b"" for i in range(12)},
            {"filename": {"pattern": "^no(.+)"}},
            "regular expression does not match",
        ),
        (
            {"labels.csv": b"filename,text\n" + b"x.png,1\n" * 3, "a.png": b""},
            "auto",
            "The names in labels.csv are not those of the images",
        ),
    ],
)
def test_a_set_without_usable_images_is_told_what_helps(
    entries: dict[str, bytes], labels: Any, help_: str, tmp_path: Path
) -> None:
    request = JobRequest.model_validate({"labels": labels})
    with pytest.raises(ReadsmithError) as caught:
        check_dataset(write_zip(tmp_path / "set.zip", entries), request)
    assert help_ in caught.value.hint


def test_labels_too_long_for_the_asked_width_are_left_out(tmp_path: Path) -> None:
    labels = [*texts(20), "AXAXAX", "XX"]
    narrow = JobRequest(hyperparameters=Hyperparameters(width=16))  # 4 time steps
    summary = check_dataset(labelled_zip(tmp_path / "set.zip", labels), narrow)
    assert summary["left_out"] == {"label_too_long": 1}
    assert summary["problems"][0]["file"] == "0020.png"


def test_rare_characters_are_warned_about(tmp_path: Path) -> None:
    summary = check_dataset(labelled_zip(tmp_path / "set.zip", [*texts(30), "AZ"]), REQUEST)
    assert summary["rare_characters"] == {"Z": 1}
    assert "fewer than 5 times" in summary["warnings"][0]


def test_a_text_file_that_lists_no_image_is_warned_about(tmp_path: Path) -> None:
    entries = numbered(12)
    others = {"notes.csv": b"filename,text\n", "README.txt": b"hello"}
    warnings = check_dataset(write_zip(tmp_path / "set.zip", entries | others), REQUEST)["warnings"]
    [warning] = [warning for warning in warnings if "file names" in warning]
    assert "notes.csv lists none of the images" in warning
    assert "README" not in warning


@pytest.mark.parametrize(("encoding", "warned"), [("gbk", True), ("utf-8", False)])
def test_names_in_a_zip_that_may_be_meant_otherwise_are_warned_about(
    encoding: str, warned: bool, tmp_path: Path
) -> None:
    meant = "京".encode(encoding)
    entries = {f"{'_' * len(meant)}A{i * 7}.png": image(str(i), seed=i) for i in range(12)}
    path = write_zip(tmp_path / "set.zip", entries)
    path.write_bytes(path.read_bytes().replace(b"_" * len(meant) + b"A", meant + b"A"))
    warnings = check_dataset(path, REQUEST)["warnings"]
    assert any("12 names in the zip are not UTF-8" in warning for warning in warnings) is warned


def test_numbered_file_names_get_a_hint_about_patterns(tmp_path: Path) -> None:
    entries = {f"{i}_1.png": image(str(i), seed=i) for i in range(12)}
    warnings = check_dataset(write_zip(tmp_path / "set.zip", entries), REQUEST)["warnings"]
    assert any("pattern" in warning for warning in warnings)


def test_a_base_gives_its_image_spec_and_its_characters_first(tmp_path: Path) -> None:
    spec = ImageSpec(height=40, width=80, channels=1, resize="pad", standardize=True)
    base = Base("model/1", spec, Vocabulary("XQ"), {}, frozenset(), Rehearsal())
    dataset = load_dataset(labelled_zip(tmp_path / "set.zip", texts(20)), REQUEST, base)
    assert dataset.image == spec
    assert dataset.vocabulary.characters == ("X", "Q", "A", "H")


def test_the_fingerprint_tells_sets_apart_that_differ_in_one_image_or_label(
    tmp_path: Path,
) -> None:
    labels = texts(20)
    plain = labelled_zip(tmp_path / "a.zip", labels)
    same = labelled_zip(tmp_path / "b.zip", labels)
    other = labelled_zip(tmp_path / "c.zip", [*labels[:-1], "XX" + labels[-1]])
    prints = [load_dataset(path, JobRequest()).fingerprint for path in (plain, same, other)]
    assert prints[0] == prints[1] != prints[2]


def test_the_sizes_of_all_images_are_known(tmp_path: Path) -> None:
    shapes = [(80, 40), (100, 40), (80, 30)]
    files = {f"{i * 7}.png": image(f"{i}", shapes[i % 3], seed=i) for i in range(12)}
    sizes = load_dataset(write_zip(tmp_path / "set.zip", files), REQUEST).sizes
    assert (sizes.widths, sizes.heights) == ((80, 100), (30, 40))


def test_labelled_images_yields_every_usable_image_once(tmp_path: Path) -> None:
    entries = numbered(3) | {"copy/100.png": numbered(3)["100.png"]}
    found = list(labelled_images(write_zip(tmp_path / "set.zip", entries), "auto"))
    assert [(name, label) for name, label, _ in found] == [
        ("000.png", "000"),
        ("100.png", "100"),
        ("200.png", "200"),
    ]


@pytest.mark.skipif("READSMITH_TEST_DATA" not in os.environ, reason="READSMITH_TEST_DATA is unset")
def test_real_sets_are_understood_without_options() -> None:
    folder = Path(os.environ["READSMITH_TEST_DATA"])
    captchas = check_dataset(folder / "captcha_images_v2.zip", REQUEST)
    assert (captchas["images"], captchas["vocabulary"]) == (933, "2345678bcdefgmnpwxy")
    assert captchas["split"] == {"train": 747, "validation": 93, "test": 93}
    plates = check_dataset(folder / "plates.zip", REQUEST)
    assert plates["images"] == 902
    assert plates["label_lengths"] == {"7": 902}


def test_a_label_of_two_lines_is_left_out_where_images_have_one_row(tmp_path: Path) -> None:
    entries = numbered(40)
    entries |= {f"{name[:3]}.txt": name[:3].encode() for name in entries}
    entries["000.txt"] = b"0\n00"
    checked = load_dataset(write_zip(tmp_path / "set.zip", entries), REQUEST)
    assert checked.image.rows == 1
    assert checked.summary["left_out"] == {"unprintable_label": 1}
    assert "one row of text" in checked.summary["problems"][0]["detail"]
    assert checked.summary["images"] == 39


@pytest.mark.parametrize("rows", [1, 2])
def test_the_check_says_what_becomes_of_two_rows(tmp_path: Path, rows: int) -> None:
    plates = plate_texts(30)
    entries = {f"{n:03}.png": encoded(plate(text)) for n, text in enumerate(plates)}
    entries |= {f"{n:03}.txt": "\n".join(text).encode() for n, text in enumerate(plates[:20])}
    entries |= {f"{n:03}.txt": "".join(plates[n]).encode() for n in range(20, 30)}
    asked = Hyperparameters(rows=1) if rows == 1 else Hyperparameters()
    request = REQUEST.model_copy(update={"hyperparameters": asked})
    checked = load_dataset(write_zip(tmp_path / "set.zip", entries), request)
    notes = "\n".join(checked.summary["label_notes"])
    joined = "Two rows of text are joined into one line, the upper first: a gap between"
    assert checked.image.rows == checked.summary["image"]["rows"] == rows
    assert (joined in notes) == (rows == 2)
    assert ("20 labels have a line break: there, texts have a space." in notes) == (rows == 2)
    assert checked.summary["images"] == (10 if rows == 1 else 30)


def test_a_set_goes_on_with_the_rows_of_its_base(tmp_path: Path) -> None:
    plates = plate_texts(30)
    entries = {f"{''.join(text)}.png": encoded(plate(text)) for text in plates}
    path = write_zip(tmp_path / "set.zip", entries)
    first = load_dataset(path, REQUEST)
    base = Base("m/1", first.image, first.vocabulary, {}, frozenset(), Rehearsal())
    assert load_dataset(path, REQUEST, base).image.rows == first.image.rows == 2
