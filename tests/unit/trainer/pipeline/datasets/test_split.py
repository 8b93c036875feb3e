"""Which images stay on one side of a split, and what is told about it."""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from shared.errors import ReadsmithError
from tests.support.labelled_images import image, texts, write_zip
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.image_table import ImageTable, LabelledImage
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.parts.near_duplicates import look, near_duplicates
from trainer.pipeline.datasets.parts.sides import Sides
from trainer.pipeline.datasets.parts.split import split
from trainer.schemas.job_request import Hyperparameters, JobRequest

REQUEST = JobRequest(evaluation="test_part")
DRAWN = {f"{i:03}"[::-1] + ".png": image(f"{i:03}"[::-1], seed=i) for i in range(60)}


def an_image(number: int, label: str) -> LabelledImage:
    content = hashlib.sha256(b"%d" % number).hexdigest()
    return LabelledImage(f"{number}.png", label, content, (8, 8))


def some_images(count: int) -> ImageTable:
    return ImageTable(an_image(i, "AB"[i % 2]) for i in range(count))


def grouped(units: Iterable[int]) -> Sides:
    numbers = np.array(list(units))
    free = Sides.free(len(numbers))
    own = (free.parts, free.alike, numbers, numbers, free.measures)
    return Sides(*own, "", "the column group")


def loaded(path: Path, files: dict[str, bytes], request: JobRequest = REQUEST) -> Dataset:
    return load_dataset(write_zip(path / "set.zip", files), request)


def listed(columns: str, rows: Iterable[str]) -> dict[str, bytes]:
    return {"labels.csv": "\n".join([columns, *rows]).encode()}


def names(dataset: Dataset) -> list[set[str]]:
    parts = (dataset.train, dataset.validation, dataset.test)
    return [{image.name for image in part} for part in parts]


def test_without_groups_and_near_duplicates_the_split_is_that_of_earlier_releases() -> None:
    labels = ["AB"[i % 2] + "C" * (i % 50 == 0) + "ABDE"[i % 4] for i in range(60)]
    parts = split(ImageTable(map(an_image, range(60), labels)), JobRequest(seed=3)).parts
    train, validation, test = ([int(one.name[:-4]) for one in part] for part in parts)
    assert train[:12] == [50, 5, 1, 8, 13, 51, 24, 17, 59, 47, 6, 21]
    assert validation == [10, 48, 56, 45, 27, 12]
    assert test == [3, 44, 54, 16, 7, 26]


@given(st.lists(st.integers(1, 9), min_size=12, max_size=30), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_groups_stay_on_one_side(sizes: list[int], seed: int) -> None:
    units = [unit for unit, size in enumerate(sizes) for _ in range(size)]
    images = ImageTable(an_image(i, "A") for i in range(len(units)))
    done = split(images, JobRequest(seed=seed), sides=grouped(units))
    train, validation, test = (
        {units[int(image.name[:-4])] for image in part} for part in done.parts
    )
    assert train | validation | test == set(range(len(sizes)))
    assert not train & validation
    assert not test & (train | validation)
    assert done.grouped == 0


def test_groups_too_large_to_be_held_out_are_taken_apart_and_that_is_told() -> None:
    done = split(some_images(100), REQUEST, sides=grouped(i % 2 for i in range(100)))
    assert [len(part) for part in done.parts] == [80, 10, 10]
    assert done.grouped == 10


def test_a_group_larger_than_twice_what_is_wanted_is_passed_over() -> None:
    units = [0] * 60 + [unit for unit in range(1, 11) for _ in range(4)]
    for seed in range(10):
        done = split(some_images(100), JobRequest(seed=seed), sides=grouped(units))
        assert 8 <= len(done.parts[2]) <= 20
        assert 0 in {units[int(image.name[:-4])] for image in done.parts[0]}


def test_a_character_of_one_group_alone_is_learned_not_tested() -> None:
    labels = ["AZ" if i // 5 == 7 else "AB"[i % 2] for i in range(100)]
    for seed in range(10):
        images = ImageTable(map(an_image, range(100), labels))
        done = split(images, JobRequest(seed=seed), sides=grouped(i // 5 for i in range(100)))
        assert "AZ" in set(done.parts[0].labels)
        assert "AZ" not in set(done.parts[2].labels)


def test_limiting_the_images_leaves_the_groups_of_the_test_part() -> None:
    sides, limited = grouped(i // 5 for i in range(200)), Hyperparameters(limit_images=20)
    few = split(some_images(200), JobRequest(hyperparameters=limited), sides=sides)
    train, validation, test = few.parts
    assert len(train) + len(validation) == 20
    assert list(test) == list(split(some_images(200), REQUEST, sides=sides).parts[2])


def variants(data: bytes) -> dict[str, Image.Image]:
    drawn = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = drawn.size

    def again(quality: int) -> Image.Image:
        buffer = io.BytesIO()
        drawn.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    def moved(x: int, y: int) -> Image.Image:
        ground = drawn.getpixel((0, 0))
        return drawn.transform(
            drawn.size, Image.Transform.AFFINE, (1, 0, -x, 0, 1, -y), fillcolor=ground
        )

    return {
        "quality 40": again(40),
        "quality 90": again(90),
        "half": drawn.resize((width // 2, height // 2)),
        "double": drawn.resize((width * 2, height * 2)),
        "right": moved(1, 0),
        "down": moved(0, 1),
        "darker": ImageEnhance.Brightness(drawn).enhance(0.9),
        "lighter": ImageEnhance.Brightness(drawn).enhance(1.1),
    }


def pairs(images: Iterable[tuple[Image.Image, str]]) -> set[tuple[int, int]]:
    table = ImageTable(
        LabelledImage(f"{i}", label, f"{i:064x}", one.size, look(one))
        for i, (one, label) in enumerate(images)
    )
    return set(near_duplicates(table))


def test_encoding_resizing_moving_and_brightness_leave_an_image_alike() -> None:
    for text in ("B-KX 2047", "4711"):
        data = image(text, (160, 40))
        first = Image.open(io.BytesIO(data))
        for what, again in variants(data).items():
            assert pairs([(first, text), (again, text)]) == {(0, 1)}, what


def test_other_labels_other_images_and_plain_areas_are_not_alike() -> None:
    same, other = (Image.open(io.BytesIO(image("17", seed=seed))) for seed in (1, 5))
    noise = np.random.default_rng(0).integers(100, 200, (2, 32, 64), np.uint8)
    grounds = [Image.new("L", (64, 32), 90), Image.new("L", (64, 32), 91)]
    assert pairs([(same, "17"), (same, "71")]) == set()
    assert pairs([(same, "17"), (other, "17")]) == set()
    assert pairs([(Image.fromarray(one), "") for one in noise]) == set()
    assert pairs([(one, "") for one in grounds]) == set()


def test_near_duplicates_are_found_among_more_images_than_are_compared_at_once() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1500, 4, 16), np.uint8)
    images = [(Image.fromarray(one), "A") for one in noise]
    twice = [*images, (images[-1][0], "A"), *images[:1000], (images[999][0], "A")]
    assert {(1499, 1500), (2500, 2501)} <= pairs(twice)


def test_near_duplicates_stay_together_and_are_told_of(tmp_path: Path) -> None:
    files = {}
    for name, data in list(DRAWN.items())[:20]:
        for what in ("quality 40", "darker"):
            variants(data)[what].save(again := io.BytesIO(), "PNG")
            files[f"{what}/{name}"] = again.getvalue()
    for seed in range(5):
        dataset = loaded(tmp_path, DRAWN | files, REQUEST.model_copy(update={"seed": seed}))
        labels = [set(part.labels) for part in (dataset.train, dataset.validation, dataset.test)]
        assert not labels[0] & labels[1]
        assert not labels[2] & (labels[0] | labels[1])
    assert dataset.summary["near_duplicates"] == 60
    assert any(
        note.startswith("60 images that look like") for note in dataset.summary["split_notes"]
    )


def test_the_column_group_keeps_images_together(tmp_path: Path) -> None:
    rows = [f"{name},{name[:3]},meter {i // 3}" for i, name in enumerate(DRAWN)]
    dataset = loaded(tmp_path, DRAWN | listed("filename,text,group", rows))
    groups = [{int(name[:3]) // 3 for name in part} for part in names(dataset)]
    assert not groups[2] & (groups[0] | groups[1])
    assert not groups[0] & groups[1]
    assert dataset.summary["split_notes"] == ["20 groups by the column group stay together."]


def test_many_folders_are_sources_unless_they_are_named_as_labels(tmp_path: Path) -> None:
    files = {f"meter{i // 4}/{name}": data for i, (name, data) in enumerate(DRAWN.items())}
    dataset = loaded(tmp_path, files)
    folders = [{name.split("/")[0] for name in part} for part in names(dataset)]
    assert not folders[2] & (folders[0] | folders[1])
    assert dataset.summary["split_notes"] == ["15 groups by their folders stay together."]
    few = {f"meter{i // 10}/{name}": data for i, (name, data) in enumerate(DRAWN.items())}
    assert loaded(tmp_path, few).summary["groups"] == 0
    rows = [f"{i // 4}/{name},{i // 4}" for i, name in enumerate(DRAWN)]
    by_label = {f"{i // 4}/{name}": data for i, (name, data) in enumerate(DRAWN.items())}
    named = loaded(tmp_path, by_label | listed("filename,text", rows))
    assert named.summary["groups_from"] is None


@pytest.mark.parametrize("around", ["", "set/images/", "test/"])
def test_folders_named_as_parts_are_the_users_own_parts(tmp_path: Path, around: str) -> None:
    def folder(i: int) -> str:
        return "Test" if i < 7 else "val" if i < 20 else "train"

    files = {f"{around}{folder(i)}/{name}": data for i, (name, data) in enumerate(DRAWN.items())}
    dataset = loaded(tmp_path, files)
    assert dataset.summary["split"] == {"train": 40, "validation": 13, "test": 7}
    assert all("/Test/" in f"/{name}" for name in names(dataset)[2])
    assert dataset.summary["split_notes"] == [
        "The parts are your own (folders Test and train and val)."
    ]


def test_a_missing_part_is_cut_from_train(tmp_path: Path) -> None:
    rows = [f"{name},{name[:3]},{'TEST' if i < 15 else ''}" for i, name in enumerate(DRAWN)]
    dataset = loaded(tmp_path, DRAWN | listed("filename,text,split", rows))
    assert names(dataset)[2] == set(list(DRAWN)[:15])
    assert dataset.summary["split"] == {"train": 40, "validation": 5, "test": 15}
    assert dataset.summary["split_notes"] == [
        "The parts are your own (the column split); validation is cut from train."
    ]
    rows = [f"{name},{name[:3]},{'dev' if i < 15 else 'train'}" for i, name in enumerate(DRAWN)]
    dataset = loaded(tmp_path, DRAWN | listed("filename,text,split", rows))
    assert names(dataset)[1] == set(list(DRAWN)[:15])
    assert dataset.summary["split"] == {"train": 41, "validation": 15, "test": 4}


def test_a_folder_of_one_part_alone_is_split_as_any_other(tmp_path: Path) -> None:
    plain = loaded(tmp_path, DRAWN)
    dataset = loaded(tmp_path, {f"test/{name}": data for name, data in DRAWN.items()})
    assert dataset.summary["split"] == plain.summary["split"]
    assert dataset.summary["split_notes"] == []


def test_own_parts_that_share_near_duplicates_or_groups_are_warned_of(tmp_path: Path) -> None:
    part = ["test" if i < 15 else "train" for i in range(60)]
    rows = [f"{name},{name[:3]},{part[i]},{i % 15}" for i, name in enumerate(DRAWN)]
    Image.open(io.BytesIO(DRAWN["300.png"])).save(again := io.BytesIO(), "JPEG")
    files = DRAWN | {"again.jpg": again.getvalue()}
    rows.append("again.jpg,300,train,")
    summary = loaded(tmp_path, files | listed("filename,text,split,group", rows)).summary
    alike, by_group = summary["warnings"][-2:]
    assert alike.startswith("1 of the 15 test images look like ones of the other parts")
    assert by_group.startswith("15 of the 15 test images belong to groups by the column group")


def test_own_parts_without_training_images_are_an_error(tmp_path: Path) -> None:
    rows = [f"{name},{name[:3]},test" for name in DRAWN]
    with pytest.raises(ReadsmithError, match="0 images are left for training"):
        loaded(tmp_path, DRAWN | listed("filename,text,split", rows))


def test_a_limit_takes_of_own_parts_in_proportion(tmp_path: Path) -> None:
    part = ["test"] * 10 + ["val"] * 10 + ["train"] * 40
    rows = [f"{name},{name[:3]},{part[i]}" for i, name in enumerate(DRAWN)]
    limited = Hyperparameters(limit_images=25)
    request = JobRequest(hyperparameters=limited, evaluation="test_part")
    dataset = loaded(tmp_path, DRAWN | listed("filename,text,split", rows), request)
    assert dataset.summary["split"] == {"train": 20, "validation": 5, "test": 10}


def with_unreadable(count: int, readable: int = 50) -> dict[str, bytes]:
    drawn = dict(list(DRAWN.items())[:readable])
    noise = np.random.default_rng(0).integers(0, 256, (count, 32, 64), np.uint8)
    files = dict(drawn)
    for i, pixels in enumerate(noise):
        Image.fromarray(pixels).save(data := io.BytesIO(), "PNG")
        files[f"no{i}.png"] = data.getvalue()
    rows = [f"{name},{name[:3]},readable" for name in drawn]
    return files | listed(
        "filename,text,state", [*rows, *(f"no{i}.png,,UNREADABLE" for i in range(count))]
    )


def test_images_with_nothing_to_read_are_in_all_parts(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, with_unreadable(40))
    parts = (dataset.train, dataset.validation, dataset.test)
    assert all("" in part.labels for part in parts)
    summary: dict[str, Any] = dataset.summary
    assert (summary["images"], summary["nothing_to_read"]) == (90, 40)
    assert summary["label_lengths"] == {"3": 50}
    assert summary["split_notes"] == ["On 40 images there is nothing to read."]


def test_images_with_nothing_to_read_do_not_make_up_for_too_few_others(tmp_path: Path) -> None:
    with pytest.raises(ReadsmithError, match="9 usable labelled images"):
        loaded(tmp_path, with_unreadable(40, readable=9))


def test_an_empty_text_without_a_state_is_not_labelled(tmp_path: Path) -> None:
    rows = [f"{name},{'' if i < 3 else name[:3]}" for i, name in enumerate(DRAWN)]
    dataset = loaded(tmp_path, DRAWN | listed("filename,text", rows))
    assert dataset.summary["left_out"] == {"empty_label": 3}


def test_texts_of_few_labels_that_look_alike_still_leave_a_test_part(tmp_path: Path) -> None:
    files = {f"{i}.png": image(text, seed=i) for i, text in enumerate(texts(120, longest=1))}
    rows = [f"{i}.png,{text}" for i, text in enumerate(texts(120, longest=1))]
    dataset = loaded(tmp_path, files | listed("filename,text", rows))
    assert all(dataset.summary["split"].values())
