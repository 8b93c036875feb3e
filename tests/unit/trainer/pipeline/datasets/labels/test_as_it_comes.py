"""Sets as users have them: read, asked about or warned of, never labelled wrongly in silence."""

import json
import random
import string
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from tests.support.dataset_checks import check_dataset
from tests.support.labelled_images import image, write_zip
from trainer.pipeline.datasets.labels.found import FoundLabels
from trainer.pipeline.datasets.labels.label_row import Part
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.source import open_source
from trainer.schemas.job_request import JobRequest, Labels
from trainer.schemas.labels import compile_pattern

TOKEN = f"{string.ascii_letters}{string.digits}-_"
NAMES = [f"{i:03}.png" for i in range(24)]
LABELS = {name: f"B{i * 7919 % 1000:03}X" for i, name in enumerate(NAMES)}


def found_in(folder: Path, files: Mapping[str, bytes | str], how: Labels = "auto") -> FoundLabels:
    entries = {n: data if isinstance(data, bytes) else data.encode() for n, data in files.items()}
    return find_labels(open_source(write_zip(folder / "set.zip", entries)), how)


def rows(pattern: str, labels: Mapping[str, str] = LABELS) -> str:
    return "".join(
        f"{pattern.format(n=n, stem=n[:-4], t=t, i=i)}\n" for i, (n, t) in enumerate(labels.items())
    )


def with_images(file: str, content: bytes | str) -> dict[str, bytes | str]:
    return {**dict.fromkeys(NAMES, b""), file: content}


def test_rows_and_names_cover_each_label() -> None:
    assert len(set(LABELS.values())) == len(NAMES)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("liste.csv", "Dateiname;Kennzeichen\n" + rows("{n};{t}")),
        ("etiquettes.csv", "fichier\ttexte\n" + rows("{n}\t{t}")),
        ("labels.csv", "File Name,Plate Text\n" + rows("{n},{t}")),
        ("labels.csv", "Image-Path;Plate-Text\n" + rows("{n};{t}")),
        ("train.csv", "image_id,text\n" + rows("{stem},{t}")),
        ("data.csv", "id,Bild,text,sicher\n" + rows("{i},{n},{t},0.9")),
        ("labels", rows("{n}\t{t}")),
        ("gt.dat", rows("{n}\t{t}")),
        ("labels.csv", ("filename;text\n" + rows("{n};{t}")).encode("utf-32")),
        ("labels.json", rows('{{"image": "{n}", "text": "{t}"}}')),
        (
            "labels.jsonl",
            '{"file_name": "gone.png"}\n' + rows('{{"file_name":"{n}","text":"{t}"}}'),
        ),
    ],
)
def test_a_list_in_words_of_its_own_is_read(
    file: str, content: bytes | str, tmp_path: Path
) -> None:
    assert found_in(tmp_path, with_images(file, content)).labels == LABELS


def test_a_header_that_rows_alone_explain_is_said(tmp_path: Path) -> None:
    content = "Dateiname;Kennzeichen\n" + rows("{n};{t}")
    (note,) = found_in(tmp_path, with_images("liste.csv", content)).notes
    assert "texts in the column kennzeichen" in note
    assert "named by its first line, dateiname, kennzeichen" in note


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("list.csv", rows("{i},{n},{t}"), "has 3 columns, separated by commas"),
        ("train.lst", rows("{i}\t{t}\t{n}"), "has 3 columns, separated by tabs"),
        (
            "labels.csv",
            "filename,breite,klasse,zeile\n" + rows("{n},9,x,{t}"),
            "breite, klasse, ze",
        ),
        ("list.csv", "bild,label,word\n" + rows("{n},{t},b"), "label, word"),
        ("labels.csv", rows("{n},1,5"), "If the commas are in the texts themselves"),
    ],
)
def test_columns_of_which_none_is_surely_the_text_are_a_question(
    file: str, content: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(ReadsmithError) as refused:
        found_in(tmp_path, with_images(file, content))
    assert refused.value.code == "labels_ambiguous"
    assert told in f"{refused.value.message} {refused.value.hint}"


def test_a_table_of_something_else_beside_the_list_is_passed_over(tmp_path: Path) -> None:
    files = with_images("gt.csv", "filename,text\n" + rows("{n},{t}"))
    files["predictions.csv"] = "filename,prediction,confidence\n" + rows("{n},WRONG,0.4")
    assert found_in(tmp_path, files).labels == LABELS


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("words.txt", rows("{stem} ok 154 1 408 768 27 51 AT {t}"), "9 words, and each of them"),
        ("gt.txt", rows("{n} {i} 2 3 {i} {t}"), "have 5 words"),
        ("gt.txt", rows("{n} plate {t}"), "the word plate"),
    ],
)
def test_spaces_that_separate_further_columns_are_warned_of(
    file: str, content: str, told: str, tmp_path: Path
) -> None:
    assert told in " ".join(found_in(tmp_path, with_images(file, content)).warnings)


def test_texts_of_two_words_are_no_columns(tmp_path: Path) -> None:
    content = rows("{n} KX {t}").replace(" KX", " AB", 3)
    assert not found_in(tmp_path, with_images("gt.txt", content)).warnings


def test_a_text_that_json_gives_twice_is_a_contradiction(tmp_path: Path) -> None:
    twice = f'{{"000.png": "{LABELS["000.png"]}", "000.png": "OTHER", "001.png": "AB"}}'
    found = found_in(tmp_path, with_images("labels.json", twice))
    assert found.labels == {"001.png": "AB"}
    assert "conflicting_labels" in {problem.kind for problem in found.problems}


@pytest.mark.parametrize("column", ["split", "subset", "Set", "usage"])
def test_parts_are_told_by_a_column_of_another_name(column: str, tmp_path: Path) -> None:
    head = f"filename,text,{column}\n"
    content = head + rows("{n},{t},train").replace("train", "test", 3)
    found = found_in(tmp_path, with_images("labels.csv", content))
    assert sum(part is Part.TEST for part in found.parts.values()) == 3
    values = [{"image": n, "text": t, column.lower(): "val"} for n, t in LABELS.items()]
    found = found_in(tmp_path, with_images("labels.json", json.dumps(values)))
    assert set(found.parts.values()) == {Part.VALIDATION}


def test_a_column_set_of_something_else_is_no_part(tmp_path: Path) -> None:
    content = "filename,text,set\n" + rows("{n},{t},box {i}")
    assert not found_in(tmp_path, with_images("labels.csv", content)).parts


def test_bounds_as_tensorflow_calls_them_are_boxes(tmp_path: Path) -> None:
    content = "filename,text,xmin,ymin,xmax,ymax\n" + rows("{n},{t},1,1,60,30")
    assert len(found_in(tmp_path, with_images("labels.csv", content)).boxes) == len(NAMES)


def test_a_price_in_windows_1252_is_read_and_said(tmp_path: Path) -> None:
    content = ("filename;text\n" + rows("{n};€ {i}")).encode("cp1252")
    found = found_in(tmp_path, with_images("labels.csv", content))
    assert found.labels["003.png"] == "€ 3"
    assert "read as Windows-1252" in found.warnings[0]


def test_text_files_of_a_guessed_encoding_are_said_and_others_named(tmp_path: Path) -> None:
    files = dict.fromkeys(NAMES[:12], b"")
    files |= {f"{name[:-4]}.txt": f"MÜ {name[:3]}".encode("cp1252") for name in NAMES[:12]}
    files["000.txt"] = "АВЕКМ".encode("cp1251")
    found = found_in(tmp_path, files)
    assert found.labels["001.png"] == "MÜ 001"
    assert "11 text files are not UTF-8 and are read as Windows-1252" in found.warnings[0]
    assert found.problems[0].detail == "000.txt is not UTF-8 at byte 0."


def test_texts_beside_processed_images_are_read_as_ocropus_has_them(tmp_path: Path) -> None:
    files = {f"p.{i}.bin.png": b"" for i in range(12)} | {f"p.{i}.gt.txt": b"AB" for i in range(12)}
    assert len(found_in(tmp_path, files).labels) == 12


def test_texts_beside_no_image_are_a_question(tmp_path: Path) -> None:
    files = {f"K{i * 37}.png": b"" for i in range(12)} | {f"{i}.gt.txt": b"AB" for i in range(12)}
    with pytest.raises(ReadsmithError, match=r"0\.gt\.txt") as refused:
        found_in(tmp_path, files)
    assert refused.value.code == "labels_ambiguous"
    assert "--labels file:0.gt.txt says why" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (lambda i: f"captcha ({i})", "numbers in a row"),
        (lambda i: f"page_{i // 5:03}_line_{i % 5:02}", "a camera or a program"),
        (lambda i: f"image{i * 7919 % 100_000}", "a camera or a program"),
        (lambda i: f"Bild {i * 17}", "a camera or a program"),
        (lambda i: f"tmp{i * 0x9E3779B97F4A7C15 % 36**8:08x}"[:11], "a camera or a program"),
        (lambda i: f"signal-2023-01-02-12-{i:02}-33", "a camera or a program"),
        (lambda i: f"202301{i % 28 + 1:02}_1{i % 10}{i % 60:02}07", "dates and times"),
        (lambda i: f"2023-01-02 at 12.{i:02}.33", "dates and times"),
        (lambda i: f"{1_700_000_000 + i * 7919}", "times in seconds"),
        (lambda i: f"{1_700_000_000_000 + i * 79_190_000}", "times in seconds"),
        (lambda i: f"{(i + 3) * 2654435761 % 2**32:08x}", "hashes"),
        (lambda i: "".join(random.Random(i).choices(TOKEN, k=22)) + "aZ0", "random names"),
    ],
)
def test_names_that_a_program_gave_are_no_labels(
    name: Callable[[int], str], what: str, tmp_path: Path
) -> None:
    with pytest.raises(ReadsmithError, match=what) as refused:
        found_in(tmp_path, {f"{name(i)}.png": b"" for i in range(20)})
    assert refused.value.code == "labels_not_found"


@pytest.mark.parametrize(
    "name",
    [
        lambda t, i: f"{t}(1)" if i == 3 else t,
        lambda t, i: f"{t}_copy" if i == 3 else t,
        lambda t, i: f"{t} - copie (2)" if i == 3 else t,
        lambda t, i: f"{t} - コピー" if i == 3 else t,
        lambda t, i: f"{t} (copy)" if i == 3 else t,
        lambda t, i: f"Copy of {t}" if i == 3 else t,
        lambda t, i: f"{t}_{i}_{(i + 9) * 2654435761 % 2**32:08x}",
        lambda t, i: f"{t}_{uuid.UUID(int=i * 0x9E3779B97F4A7C15F39CC060)}",
        lambda t, i: f"{t}@{1_700_000_000 + i * 97}",
        lambda t, i: f"{t}.{i}",
        lambda t, i: f"{i:04}_{t}",
        lambda t, i: f"{i * 0x9E3779B97F4A7C15 % 2**64:016x}-{t}",
        lambda t, _: f"label_{t}",
    ],
)
def test_what_is_beside_the_label_in_names_is_told_with_the_pattern_that_leaves_the_label(
    name: Callable[[str, int], str], tmp_path: Path
) -> None:
    names = {name(text, i): text for i, text in enumerate(LABELS.values())}
    entries = {f"{one}.png": image(one, seed=i) for i, one in enumerate(names)}
    warnings = check_dataset(write_zip(tmp_path / "set.zip", entries), JobRequest())["warnings"]
    (told,) = [one for one in warnings if "give the pattern " in one]
    compiled = compile_pattern(told.split("give the pattern ")[1].split(" (--labels")[0])
    assert {one: compiled.search(one)[1] for one in names} == names  # type: ignore[index]


def test_folders_of_one_text_in_each_part_are_named_by_label(tmp_path: Path) -> None:
    files = {f"{p}/{t}/img{i}.png": b"" for p in ("train", "val") for t in "ABC" for i in range(2)}
    assert found_in(tmp_path, files).labels["val/C/img1.png"] == "C"


def test_names_of_their_folder_with_a_number_are_of_folders_named_by_label(tmp_path: Path) -> None:
    files = {f"data/{t}/{t}{i}.png": b"" for t in ("AB", "XY", "QQ") for i in range(4)}
    assert found_in(tmp_path, files).labels["data/QQ/QQ3.png"] == "QQ"


@pytest.mark.parametrize("folder", ["cam{}", "2023-01-0{}", "{}"])
def test_folders_that_only_count_or_date_are_no_labels(folder: str, tmp_path: Path) -> None:
    files = {f"{folder.format(k)}/{i}.png": b"" for k in range(1, 5) for i in range(10)}
    with pytest.raises(ReadsmithError, match="numbers in a row") as refused:
        found_in(tmp_path, files)
    assert "--labels folder" in refused.value.hint


def test_a_folder_of_numbers_beside_named_images_is_unlabelled(tmp_path: Path) -> None:
    files = {f"train/{text}.png": b"" for text in LABELS.values()}
    files |= {f"test/{i}.png": b"" for i in range(12)}
    found = found_in(tmp_path, files)
    assert len(found.labels) == len(LABELS)
    assert len(found.unlabelled) == 12
    assert "The images in test are taken for unlabelled" in found.warnings[0]


def listed(labels: Mapping[str, str]) -> dict[str, bytes]:
    entries = {name: image(text, seed=i) for i, (name, text) in enumerate(labels.items())}
    lines = "".join(f"{name}\t{text}\n" for name, text in labels.items())
    return entries | {"rec_gt.txt": lines.encode()}


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({n: f"Ã©{t}" for n, t in LABELS.items()}, "If the first one is éB000X"),
        (dict.fromkeys(NAMES, "plate"), "are one of 1 (plate)"),
        ({n: f"{i}" for i, n in enumerate(NAMES)}, "are numbers in a row"),
        ({n: f'{{"gt": "{t}"}}' for n, t in LABELS.items()}, "are JSON"),
        (
            {f"{i}_{'abcdefghij'[i % 10]}lp_{i * 977}.jpg": f"{i * 977}" for i in range(24)},
            "are numbers at the end of their file names",
        ),
        (LABELS | {"009.png": "B1Q"}, "Characters that occur once: Q (B1Q, rec_gt.txt line 10)"),
    ],
)
def test_labels_that_are_something_else_are_warned_of(
    labels: dict[str, str], told: str, tmp_path: Path
) -> None:
    path = write_zip(tmp_path / "set.zip", listed(labels))
    assert told in " ".join(check_dataset(path, JobRequest())["warnings"])


def test_images_that_cannot_be_read_are_warned_of_by_reason(tmp_path: Path) -> None:
    entries = listed(LABELS) | dict.fromkeys(NAMES[:3], b"\0\0\0\x24ftypheic\0\0\0\0mif1heicmiaf")
    warnings = check_dataset(write_zip(tmp_path / "set.zip", entries), JobRequest())["warnings"]
    assert any(
        one.startswith("3 of the files cannot be read") and "HEIC" in one for one in warnings
    )
