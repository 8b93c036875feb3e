import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from tests.support.label_formats import FORMATS, ODD, Entries, table, texts_beside
from tests.support.labelled_images import write_zip
from trainer.pipeline.datasets.labels.found import FoundLabels
from trainer.pipeline.datasets.labels.label_row import Part
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.source import open_source
from trainer.schemas.job_request import FileLabelSource, Labels

COMPOSED = {name: unicodedata.normalize("NFC", text) for name, text in ODD.items()}


def found_in(tmp_path: Path, entries: Mapping[str, bytes], how: Labels = "auto") -> FoundLabels:
    return find_labels(open_source(write_zip(tmp_path / "set.zip", dict(entries))), how)


def with_images(written: Entries, labels: Mapping[str, str] = ODD, folder: str = "") -> Entries:
    return {f"{folder}{name}": b"" for name in labels} | written


def serial(count: int = 12) -> dict[str, str]:
    """Labels by the names that files have when nobody named them."""
    return {f"{i:04}.png": f"T{i}" for i in range(count)}


@pytest.mark.parametrize("said", FORMATS)
def test_a_format_is_recognised_said_and_read_with_odd_labels(said: str, tmp_path: Path) -> None:
    found = found_in(tmp_path, with_images(FORMATS[said](ODD)))
    assert found.labels == COMPOSED
    assert found.notes[0].startswith(said)
    assert "12 of 12 images found" in found.notes[0]
    assert (found.problems, found.ignored) == ([], 0)


@pytest.mark.parametrize("said", FORMATS)
def test_a_format_is_read_where_the_images_are_in_a_folder(said: str, tmp_path: Path) -> None:
    assert len(found_in(tmp_path, with_images(FORMATS[said](ODD), folder="set/")).labels) == 12


@pytest.mark.parametrize("ending", [".gt.txt", ".txt"])
def test_texts_beside_the_images_are_read(ending: str, tmp_path: Path) -> None:
    found = found_in(tmp_path, with_images(texts_beside(ending)(ODD)))
    assert found.labels == COMPOSED
    assert found.notes == ["Text files beside the images: 12 of 12 images have one."]
    assert found.ignored == 0


def test_texts_in_a_folder_of_their_own_are_those_of_the_images_of_that_name(
    tmp_path: Path,
) -> None:
    entries = {f"images/{name}": b"" for name in ODD}
    entries |= {f"gt/{name}": text for name, text in texts_beside(".txt")(ODD).items()}
    assert found_in(tmp_path, entries).labels["images/5.png"] == "007"


def test_boxes_beside_the_images_are_no_texts(tmp_path: Path) -> None:
    boxes = {f"{i:04}.txt": b"0 0.5 0.5 0.25 0.1\n" for i in range(12)}
    with pytest.raises(ReadsmithError, match=r"\(YOLO\) hold no texts") as refused:
        found_in(tmp_path, with_images(boxes, serial()))
    assert refused.value.code == "labels_not_found"


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8-sig", None),
        ("utf-16", "read as UTF-16"),
        ("utf-16-le", "read as UTF-16 without a byte order mark"),
        ("utf-16-be", "read as UTF-16 without a byte order mark"),
        ("cp1252", "read as Windows-1252"),
    ],
)
def test_the_encoding_is_found_and_said_where_it_is_not_utf8(
    encoding: str, told: str | None, tmp_path: Path
) -> None:
    labels = serial() | {"0003.png": "Müller"}
    found = found_in(
        tmp_path, with_images(table(",", "filename", "text", encoding=encoding)(labels), labels)
    )
    assert found.labels == labels
    assert any(told in note for note in found.notes) if told else not found.notes
    guessed = encoding == "cp1252"
    assert any("line 5 says Müller" in warning for warning in found.warnings) is guessed


@pytest.mark.parametrize("text", ["Владимир", "東京都港区", "Αθήνα"])
@pytest.mark.parametrize("encoding", ["cp1251", "gbk", "shift_jis", "iso8859-7"])
def test_what_may_be_any_encoding_is_not_read_as_western(
    text: str, encoding: str, tmp_path: Path
) -> None:
    data = text.encode(encoding, "ignore")
    entries = {"a.png": b"", "labels.csv": b"filename,text\na.png," + data}
    if len(data) < 2 or data.isascii():
        return
    with pytest.raises(ReadsmithError) as refused:
        found_in(tmp_path, entries)
    assert refused.value.code == "labels_not_utf8"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_by_the_header(delimiter: str, tmp_path: Path) -> None:
    written = table(delimiter, "Filename", "Text")(ODD)
    assert found_in(tmp_path, with_images(written)).labels == COMPOSED


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_table_without_a_header_begins_with_its_first_image(
    delimiter: str, tmp_path: Path
) -> None:
    found = found_in(tmp_path, with_images(table(delimiter)(ODD)))
    assert found.labels == COMPOSED
    assert "List without a header labels.csv" in found.notes[0]


def test_a_row_with_too_many_fields_is_left_out_by_its_line_and_not_called_unlisted(
    tmp_path: Path,
) -> None:
    entries = {"1.png": b"", "2.png": b"", "labels.csv": b"filename,text\n1.png,a,b\n2.png,c,,\n"}
    found = found_in(tmp_path, entries)
    assert found.labels == {"2.png": "c"}
    (problem,) = found.problems
    assert (problem.kind, problem.file) == ("unclear_label", "1.png")
    assert problem.detail.startswith("labels.csv line 2 has 3 fields instead of 2")


def test_a_quotation_mark_that_is_not_closed_swallows_no_other_row(tmp_path: Path) -> None:
    rows = 'filename,text\n1.png,"a\n2.png,b\n3.png,"c"d\n4.png,"e ""f"""\n'
    entries = dict.fromkeys(("1.png", "2.png", "3.png", "4.png"), b"")
    found = found_in(tmp_path, entries | {"labels.csv": rows.encode()})
    assert found.labels == {"2.png": "b", "4.png": 'e "f"'}
    assert {(p.file, p.detail[:28]) for p in found.problems} == {
        ("1.png", "labels.csv line 2 holds a qu"),
        ("3.png", "labels.csv line 4 holds a qu"),
    }


def test_empty_rows_are_counted_once(tmp_path: Path) -> None:
    entries = {"1.png": b"", "labels.csv": b"filename,text,\r\n1.png,a,\r\n" + b",,\r\n" * 20}
    found = found_in(tmp_path, entries)
    assert found.labels == {"1.png": "a"}
    assert found.notes == ["labels.csv has 20 empty rows."]
    assert found.problems == []


def test_columns_that_are_equally_likely_are_a_question(tmp_path: Path) -> None:
    entries = {"1.png": b"", "labels.csv": b"filename,label,word\n1.png,a,b\n"}
    with pytest.raises(ReadsmithError, match="label, word") as refused:
        found_in(tmp_path, entries)
    assert refused.value.code == "labels_ambiguous"


def test_lists_that_contradict_each_other_are_a_question_that_one_can_be_named_for(
    tmp_path: Path,
) -> None:
    one, other = serial(), {name: f"{text}x" for name, text in serial().items()}
    entries = with_images(table(",", "filename", "text")(one) | FORMATS["DocTR labels"](other), one)
    with pytest.raises(ReadsmithError) as refused:
        found_in(tmp_path, entries)
    assert refused.value.code == "labels_ambiguous"
    assert "labels.csv and labels.json give 12 images different texts" in refused.value.message
    assert "--labels file:labels.csv" in refused.value.hint
    assert found_in(tmp_path, entries, FileLabelSource(file="labels.json")).labels == other
    assert found_in(tmp_path, entries, "manifest").labels == one


def test_a_list_of_an_unknown_format_beside_the_images_is_a_question(tmp_path: Path) -> None:
    xml = b"<images>" + b"".join(f"<i n='{name}'/>".encode() for name in serial()) + b"</images>"
    named = {f"AB{i * 7}.png": b"" for i in range(12)}
    for name, data in (("labels.xlsx", b"PK"), ("annotations.xml", xml)):
        with pytest.raises(ReadsmithError, match=name) as refused:
            found_in(tmp_path, named | {name: data})
        assert refused.value.code == "labels_ambiguous"
        assert found_in(tmp_path, named | {name: data}, "filename").labels["AB7.png"] == "AB7"


@pytest.mark.parametrize(
    ("names", "what"),
    [
        ([f"{i:04}" for i in range(20)], "numbers in a row"),
        ([f"img{i}" for i in range(5, 25) if i != 9], "numbers in a row"),
        ([f"IMG_{i * i:04}" for i in range(20)], "a camera"),
        ([f"PXL_20240101_{i * 977:09}" for i in range(20)], "a camera"),
        ([f"{i * 0x9E3779B97F4A7C15F39CC060:032x}" for i in range(1, 20)], "hashes"),
        ([f"3f2504e0-4f89-11d3-9a0c-{i * 977:012x}" for i in range(20)], "UUIDs"),
    ],
)
def test_names_that_nobody_gave_are_not_labels_unless_it_is_said(
    names: list[str], what: str, tmp_path: Path
) -> None:
    entries = {f"{name}.jpg": b"" for name in names}
    with pytest.raises(ReadsmithError, match=what) as refused:
        found_in(tmp_path, entries)
    assert refused.value.code == "labels_not_found"
    assert "--labels filename" in refused.value.hint
    assert len(found_in(tmp_path, entries, "filename").labels) == len(names)


@pytest.mark.parametrize(
    "names",
    [
        ["2b827", "3n4xp", "c7wdp", "44f6e", "de1ad", "33333", "8b5aa", "10000", "20001", "9e9e9"],
        [f"{i * 7919 % 10_000:04}" for i in range(2000)],
        [f"KA{i * 37}" for i in range(60)],
        [f"{i:04}" for i in range(9)],
    ],
)
def test_names_that_may_be_labels_are_taken(names: list[str], tmp_path: Path) -> None:
    assert set(found_in(tmp_path, {f"{n}.png": b"" for n in names}).labels.values()) == set(names)


def test_folders_named_as_the_text_are_the_labels(tmp_path: Path) -> None:
    entries = {f"set/{text}/img{i}.png": b"" for text in ("AB1", "XY7", "QQ4") for i in range(4)}
    found = found_in(tmp_path, entries)
    assert found.labels["set/XY7/img2.png"] == "XY7"
    assert found.notes == ["Folders named by label: 3 with 12 images."]


def test_numbered_folders_of_numbered_images_are_no_labels(tmp_path: Path) -> None:
    entries = {f"meter_{k:02}/img{i}.png": b"" for k in range(12) for i in range(4)}
    with pytest.raises(ReadsmithError, match="numbers in a row"):
        found_in(tmp_path, entries)
    assert found_in(tmp_path, entries, "folder").labels["meter_03/img0.png"] == "meter_03"


@pytest.mark.parametrize(
    ("listed", "image", "told"),
    [
        ("0001", "0001.PNG", "in lacking the ending"),
        ("img_1.jpg", "IMG_1.JPG", "in upper and lower case"),
        ("my%20pic.png", "my pic.png", "(%20)"),
        ("e\u0301.png", "é.png", "in how accents are written"),
        ("./0001.png", "0001.png", None),
    ],
)
def test_a_name_that_can_mean_one_file_only_is_matched_and_said(
    listed: str, image: str, told: str | None, tmp_path: Path
) -> None:
    entries = {image: b"", "labels.csv": f"filename,text\n{listed},AB\n".encode()}
    found = found_in(tmp_path, entries)
    assert found.labels == {image: "AB"}
    assert [told in note for note in found.notes] == [True] if told else not found.notes


def test_a_name_without_ending_that_two_images_have_is_not_guessed(tmp_path: Path) -> None:
    entries = {"1.png": b"", "1.jpg": b"", "labels.csv": b"filename,text\n1,AB\n"}
    found = found_in(tmp_path, entries)
    assert found.labels == {}
    assert "may mean 1.jpg or 1.png" in found.problems[0].detail


def test_lists_named_by_part_give_the_parts(tmp_path: Path) -> None:
    labels = serial()
    entries = with_images({}, labels, "img/") | {
        "rec_gt_train.txt": "\n".join(
            f"img/{n}\t{t}" for n, t in list(labels.items())[:8]
        ).encode(),
        "rec_gt_val.txt": "\n".join(f"img/{n}\t{t}" for n, t in list(labels.items())[8:]).encode(),
    }
    found = found_in(tmp_path, entries)
    assert found.parts["img/0000.png"] is Part.TRAIN
    assert found.parts["img/0011.png"] is Part.VALIDATION
    assert found.parts_from == "the lists rec_gt_train.txt and rec_gt_val.txt"


@pytest.mark.parametrize(
    ("boxes", "detail"),
    [
        ('[{"transcription": "A"}, {"transcription": "B"}]', "has 2 texts"),
        ('[{"transcription": "A"', "is cut"),
    ],
)
def test_an_image_of_several_boxes_has_no_label(boxes: str, detail: str, tmp_path: Path) -> None:
    entries = {"a.png": b"", "Label.txt": f"a.png\t{boxes}\n".encode()}
    (problem,) = found_in(tmp_path, entries).problems
    assert (problem.kind, problem.file) == ("unclear_label", "a.png")
    assert f"Label.txt line 1 {detail}" in problem.detail


def test_a_number_in_json_is_not_taken_for_a_text(tmp_path: Path) -> None:
    rows = b'{"file_name": "a.png", "text": 815}\n{"file_name": "b.png", "text": "0815"}\n'
    found = found_in(tmp_path, {"a.png": b"", "b.png": b"", "metadata.jsonl": rows})
    assert found.labels == {"b.png": "0815"}
    assert "line 1 has 815 instead of a text" in found.problems[0].detail


def test_two_annotations_that_differ_are_a_contradiction(tmp_path: Path) -> None:
    tasks = [
        {
            "data": {"image": "a.png"},
            "annotations": [{"result": [{"value": {"text": [t]}}]} for t in ("A", "B")],
        }
    ]
    found = found_in(tmp_path, {"a.png": b"", "export.json": json.dumps(tasks).encode()})
    assert [problem.kind for problem in found.problems] == ["conflicting_labels"]


@pytest.mark.parametrize(
    ("file", "content", "label", "said"),
    [
        ("labels.csv", "filename,text\n1.png,'=1\n", "=1", "1 texts lose the apostrophe"),
        ("gt.txt", "1.png\t'=1\n", "'=1", ""),
        ("gt.txt", '1.png\t"A"\n', '"A"', "1 texts are in quotation marks"),
        ("gt.txt", '1.png "A B"\n', '"A B"', "1 texts are in quotation marks"),
        ("labels.csv", "filename,text\n1.png,a,\n", "a", "1 rows have empty fields beyond"),
        ("labels.csv", "filename,text,\n1.png,a,\n", "a", ""),
        ("labels.csv", '1.png,"a\x0cb"\n', None, "1.png"),
        ("labels.csv", 'filename,text\n1.png,a\u2028"b"\n', None, "1.png"),
        ("gt.txt", "1.png\t[A]\n", "[A]", ""),
        ("gt.txt", "A B 1.png\n", "A B", ""),
        ("gt.txt", "1.png,1.png\n", "1.png", "both columns name images"),
        ("labels.csv", "A|1.png\n", "A", "separated by bars"),
        ("labels.csv", "1.png,file\n", "file", ""),
        ("project-3.csv", "annotation_id,lead_time,image,text\n1,1,1.png,[1]\n", "[1]", ""),
    ],
)
def test_a_text_is_what_the_list_says_and_where_it_may_not_be_something_is_said(
    file: str, content: str, label: str | None, said: str, tmp_path: Path
) -> None:
    found = found_in(tmp_path, {"1.png": b"", file: content.encode()})
    assert found.labels.get("1.png") == label
    sentences = [*found.warnings, *found.notes, *(problem.file for problem in found.problems)]
    assert said in "\n".join(sentences)
    assert said or not found.warnings


def test_a_header_is_one_although_an_image_is_called_so(tmp_path: Path) -> None:
    entries = {"text.png": b"", "labels.csv": b"filename,text\ntext.png,A\n"}
    assert found_in(tmp_path, entries).labels == {"text.png": "A"}


def test_a_text_that_moves_the_name_is_left_out_by_its_line(tmp_path: Path) -> None:
    entries = {"1.png": b"", "labels.csv": b"text,filename\na,b,1.png\n"}
    (problem,) = found_in(tmp_path, entries).problems
    assert (problem.kind, problem.file) == ("unclear_label", "1.png")


def test_a_quotation_mark_that_is_not_closed_swallows_no_row_of_fewer_fields(
    tmp_path: Path,
) -> None:
    rows = b'filename,text,group\n1.png,"a\n2.png,b"\n'
    found = found_in(tmp_path, {"1.png": b"", "2.png": b"", "labels.csv": rows})
    assert found.labels == {"2.png": 'b"'}
    assert [problem.file for problem in found.problems] == ["1.png"]


def test_text_files_beside_few_images_are_a_question_unless_they_can_be_labels_only(
    tmp_path: Path,
) -> None:
    images = {f"AB{i * 7}.png": b"" for i in range(12)}
    with pytest.raises(ReadsmithError, match="1 of 12 images have a text file") as refused:
        found_in(tmp_path, images | {"AB7.txt": b"note"})
    assert refused.value.code == "labels_ambiguous"
    assert found_in(tmp_path, images | {"AB7.gt.txt": b"X"}).labels == {"AB7.png": "X"}


@pytest.mark.parametrize("address", ["http://[/1.png", "http://\u2100/1.png"])
def test_an_address_that_is_none_is_the_name_of_no_file(address: str, tmp_path: Path) -> None:
    rows = f"filename,text\n{address},A\n2.png,B\n"
    found = found_in(tmp_path, {"2.png": b"", "labels.csv": rows.encode()})
    assert found.labels == {"2.png": "B"}


def test_an_address_means_the_file_that_it_is_decoded_to(tmp_path: Path) -> None:
    tasks = [
        {
            "data": {
                "group": "p. 1",
                "image": "/data/local-files/?d=a/x%2520y.png",
                "split": "test",
            },
            "annotations": [{"result": [{"value": {"text": ["A"]}}]}],
        }
    ]
    files = {"a/x%20y.png": b"", "b/x%2520y.png": b"", "tasks.json": json.dumps(tasks).encode()}
    found = found_in(tmp_path, files)
    assert found.labels == {"a/x%20y.png": "A"}
    assert found.groups == {"a/x%20y.png": "p. 1"}
    assert found.parts == {"a/x%20y.png": Part.TEST}


EXAMPLES = re.findall(
    r"^`([^`]+)`, “([^”]+)”:\n\n```\w+\n(.*?)```",
    Path("docs/formats.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)


def test_every_format_has_an_example_in_the_documentation() -> None:
    said = {said for _, said, _ in EXAMPLES}
    assert {kind for kind in FORMATS if not any(kind.startswith(one) for one in said)} == {
        "List in JSON"  # the kin of Label Studio's JSON-MIN, of no tool's own
    }


@pytest.mark.parametrize(("file", "said", "content"), EXAMPLES)
def test_the_examples_of_the_documentation_are_read_as_it_says(
    file: str, said: str, content: str, tmp_path: Path
) -> None:
    labels = {"0001.png": "AB 12", "0002.png": "0071", "0003.png": "C-9"}
    found = found_in(tmp_path, dict.fromkeys(labels, b"") | {file: content.encode()})
    assert len(content.splitlines()) == 3
    images = {name: found.boxes[name][0] if name in found.boxes else name for name in found.labels}
    assert found.labels == {name: labels[image] for name, image in images.items()}
    assert len(found.labels) >= 2
    assert said == "Label file" or found.notes[0].startswith(said)
