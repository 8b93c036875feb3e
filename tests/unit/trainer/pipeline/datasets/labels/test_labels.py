import unicodedata
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.errors import ReadsmithError
from tests.support.labelled_images import write_zip
from trainer.pipeline.datasets.labels.label_row import Part
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.source import ImageSource, open_source
from trainer.schemas.job_request import FilenameLabels, FilenameLabelSource, Labels
from trainer.schemas.limits import DatasetLimits


def source(tmp_path: Path, entries: dict[str, str]) -> ImageSource:
    path = tmp_path / "set.zip"
    return open_source(write_zip(path, {name: text.encode() for name, text in entries.items()}))


MARKS = "\u0301" * 500 + "\u0316" * 500


def by_pattern(pattern: str) -> Labels:
    how: Labels = TypeAdapter(Labels).validate_python({"filename": {"pattern": pattern}})
    return how


def test_without_a_label_file_the_file_name_is_the_label(tmp_path: Path) -> None:
    found = find_labels(
        source(tmp_path, {"x/Ab1.png": "", "x/12.5.jpg": "", "note.txt": ""}), "auto"
    )
    assert found.labels == {"x/Ab1.png": "Ab1", "x/12.5.jpg": "12.5"}
    assert found.ignored == 1


def test_a_label_file_anywhere_in_the_zip_wins_over_file_names(tmp_path: Path) -> None:
    entries = {
        "a/1.png": "",
        "a/b/2.png": "",
        "a/labels.csv": "filename,text\n1.png,one\nb/2.png,two\n",
    }
    assert find_labels(source(tmp_path, entries), "auto").labels == {
        "a/1.png": "one",
        "a/b/2.png": "two",
    }


def test_file_names_can_be_asked_for_although_there_is_a_label_file(tmp_path: Path) -> None:
    entries = {"1.png": "", "labels.csv": "filename,text\n1.png,one\n"}
    assert find_labels(source(tmp_path, entries), "filename").labels == {"1.png": "1"}


def test_listed_files_are_found_from_the_top_and_by_their_own_name(tmp_path: Path) -> None:
    entries = {
        "images/1.png": "",
        "images/2.png": "",
        "meta/labels.csv": "filename,text\nimages/1.png,one\n2.png,two\n",
    }
    assert find_labels(source(tmp_path, entries), "auto").labels == {
        "images/1.png": "one",
        "images/2.png": "two",
    }


def test_a_tsv_with_a_byte_order_mark_and_quotes_in_its_text_is_read(tmp_path: Path) -> None:
    entries = {"1.png": "", "labels.tsv": "\ufefftext\tfilename\na,b\t1.png\n"}
    assert find_labels(source(tmp_path, entries), "manifest").labels == {"1.png": "a,b"}


def test_a_csv_text_may_hold_a_quoted_comma(tmp_path: Path) -> None:
    entries = {"1.png": "", "labels.csv": 'filename,text\n1.png,"a,b"\n'}
    assert find_labels(source(tmp_path, entries), "auto").labels == {"1.png": "a,b"}


def test_labels_are_composed_unicode_with_case_kept(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Éa")
    entries = {"1.png": "", "labels.csv": f"filename,text\n1.png,{decomposed}\n"}
    assert find_labels(source(tmp_path, entries), "auto").labels == {"1.png": "Éa"}


def test_every_left_out_row_or_file_says_why(tmp_path: Path) -> None:
    rows = "filename,text\n1.png,one\n2.png,\ngone.png,three\n4.png,four\n4.png,vier\n"
    names = ("1.png", "2.png", "3.png", "4.png")
    found = find_labels(source(tmp_path, dict.fromkeys(names, "") | {"labels.csv": rows}), "auto")
    assert found.labels == {"1.png": "one"}
    assert {(p.kind, p.file) for p in found.problems} == {
        ("empty_label", "2.png"),
        ("missing_label", "3.png"),
        ("missing_image", "gone.png"),
        ("conflicting_labels", "4.png"),
    }


@pytest.mark.parametrize(
    ("pattern", "label"),
    [(r"^(.+)_\d+$", "ab"), (r"^(?P<text>[a-z]+)_(\d+)$", "ab"), (r"[a-z]+", "ab")],
)
def test_a_pattern_cuts_the_label_out_of_the_file_name(
    tmp_path: Path, pattern: str, label: str
) -> None:
    found = find_labels(source(tmp_path, {"ab_17.png": ""}), by_pattern(pattern))
    assert found.labels == {"ab_17.png": label}


def test_a_file_name_that_does_not_match_the_pattern_is_left_out(tmp_path: Path) -> None:
    found = find_labels(source(tmp_path, {"ab.png": ""}), by_pattern(r"^(.+)_\d+$"))
    assert [problem.kind for problem in found.problems] == ["missing_label"]


@pytest.mark.parametrize(
    ("content", "message"),
    [("id,class\n7,x\n", "starts with id, class"), ("", "starts with nothing")],
)
def test_a_label_file_without_the_right_columns_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(ReadsmithError, match=message):
        find_labels(source(tmp_path, {"1.png": "", "labels.csv": content}), "auto")


def test_a_label_file_in_no_encoding_that_is_known_is_refused(tmp_path: Path) -> None:
    text = b"filename,text\n1.png," + "Москва".encode("cp1251")
    path = write_zip(tmp_path / "set.zip", {"labels.csv": text})
    with pytest.raises(ReadsmithError, match="not UTF-8 at byte 20"):
        find_labels(open_source(path), "auto")


def test_asking_for_a_label_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadsmithError, match=r"no labels\.csv"):
        find_labels(source(tmp_path, {"1.png": ""}), "manifest")


def test_labels_that_no_image_can_show_are_left_out_and_reported(tmp_path: Path) -> None:
    labels = {"1.png": "a\x1b[2Jb", "2.png": "x" * 1001, "3.png": '"a\nb\nc"', "4.png": "fine"}
    rows = [f"{name},{text}" for name, text in labels.items()]
    entries = dict.fromkeys(labels, "") | {"labels.csv": "\n".join(["filename,text", *rows])}
    found = find_labels(source(tmp_path, entries), "auto")
    assert found.labels == {"4.png": "fine"}
    assert {problem.file: problem.kind for problem in found.problems} == {
        "1.png": "unprintable_label",
        "2.png": "label_too_long",
        "3.png": "unprintable_label",
    }
    assert not any("\x1b" in problem.detail for problem in found.problems)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", " \n", "\n\n "])
def test_a_line_break_in_a_label_is_a_space_and_is_noted(tmp_path: Path, line_break: str) -> None:
    entries = {"1.png": "", "1.txt": f"ABC{line_break}1234\n", "2.png": "", "2.txt": "D 56\n"}
    found = find_labels(source(tmp_path, entries), "auto")
    assert found.labels == {"1.png": "ABC 1234", "2.png": "D 56"}
    assert found.broken == {"1.png"}


def test_a_name_that_looks_like_an_escaped_cell_is_a_name(tmp_path: Path) -> None:
    entries = {"'-1.png": "", "=2.png": "", "labels.csv": "filename,text\n'-1.png,a\n'=2.png,b\n"}
    assert find_labels(source(tmp_path, entries), "auto").labels == {"'-1.png": "a", "=2.png": "b"}


def test_a_label_of_endless_marks_is_left_out(tmp_path: Path) -> None:
    entries = {"1.png": "", "labels.csv": f"filename,text\n1.png,{'a' + MARKS[:900]}\n"}
    (problem,) = find_labels(source(tmp_path, entries), "auto").problems
    assert (problem.kind, problem.file) == ("unprintable_label", "1.png")
    assert "more than 30 combining marks" in problem.detail


def test_a_listed_name_is_shown_short_and_without_control_characters(tmp_path: Path) -> None:
    entries = {"labels.csv": f"filename,text\n\x1b]0;{'x' * 900},one\n../../etc/passwd,two\n"}
    long, outside = find_labels(source(tmp_path, entries), "auto").problems
    assert (long.kind, outside.kind) == ("missing_image", "missing_image")
    assert long.file.startswith(r"\u001b]0;xxx")
    assert len(long.file) < 250


def test_more_rows_than_files_are_allowed_are_refused(tmp_path: Path) -> None:
    rows = "\n".join(f"{number}.png,a" for number in range(5))
    path = write_zip(tmp_path / "set.zip", {"labels.csv": f"filename,text\n{rows}".encode()})
    with pytest.raises(ReadsmithError, match="more than 4 rows"):
        find_labels(open_source(path, DatasetLimits(files=4)), "auto")
    assert find_labels(open_source(path, DatasetLimits(files=5)), "auto").problems


def test_a_header_that_no_csv_has_is_shown_short(tmp_path: Path) -> None:
    entries = {"labels.csv": "x" * 200_000}
    with pytest.raises(ReadsmithError, match="starts with xxx") as refused:
        find_labels(source(tmp_path, entries), "auto")
    assert refused.value.code == "labels_header"
    assert len(refused.value.message) < 300


def test_a_pattern_that_takes_for_ever_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.pipeline.datasets.labels.label_pattern.MATCH_SECONDS", 0.2)
    files = {f"{'a' * 60}!.png": ""}
    with pytest.raises(ReadsmithError, match="took more than") as refused:
        find_labels(source(tmp_path, files), by_pattern(r"(a|aa)+$"))
    assert refused.value.code == "pattern_too_slow"


def test_a_pattern_that_is_slow_for_each_of_many_names_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.pipeline.datasets.labels.label_pattern.MATCH_SECONDS", 0.1)
    files = {f"{'a' * 22}!{number}.png": "" for number in range(200)}  # some milliseconds each
    with pytest.raises(ReadsmithError, match="took more than"):
        find_labels(source(tmp_path, files), by_pattern(r"(a|aa)+$"))


@pytest.mark.parametrize(
    "pattern",
    [
        "a{99999999999999999999}",
        "a{4294967294}",
        "(?:(?:a{1000}){1000}){1000}",
        "((((a{20}){20}){20}){20}){20}",
        "a{,4294967294}",
        r"(\w[ab]{3}(c|d)?){4000}",
    ],
)
def test_a_pattern_that_takes_too_much_memory_is_refused_before_it_does(pattern: str) -> None:
    with pytest.raises(ValidationError, match="more than 10,000 characters"):
        by_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(", "[a", "a{3,2}", "(" * 199, "*a", "(?P<text>a"])
def test_what_is_no_regular_expression_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="is not a regular expression"):
        by_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", [r"^(.{1,255})_\d{1,20}_\d{1,20}$", "a{}", "[{9}]{2}", r"\{3}", "((a){9}b?)+"]
)
def test_ordinary_repeats_are_within_the_bounds(pattern: str) -> None:
    named = FilenameLabels(pattern=pattern)
    assert by_pattern(pattern) == FilenameLabelSource(filename=named)


def test_further_columns_give_group_part_and_state(tmp_path: Path) -> None:
    header = "text,Split,filename,STATE,group,other"
    rows = f"{header}\none,Valid,1.png,Readable, a ,x\n,,2.png,unreadable,,y\n"
    found = find_labels(source(tmp_path, {"1.png": "", "2.png": "", "labels.csv": rows}), "auto")
    assert found.labels == {"1.png": "one", "2.png": ""}
    assert (found.parts, found.groups) == ({"1.png": Part.VALIDATION}, {"1.png": "a"})


@pytest.mark.parametrize(
    ("column", "value", "right"),
    [("split", "eval", "train, training, val"), ("state", "OH", "readable, unreadable, confirmed")],
)
def test_an_unknown_split_or_state_names_the_line_and_what_is_right(
    tmp_path: Path, column: str, value: str, right: str
) -> None:
    rows = f"filename,text,{column}\n1.png,one,\n2.png,two,{value}\n"
    entries = {"1.png": "", "2.png": "", "a/labels.csv": rows}
    with pytest.raises(ReadsmithError) as caught:
        find_labels(source(tmp_path, entries), "auto")
    assert caught.value.code == "labels_column"
    assert f"a/labels.csv line 3 has '{value}' in the column {column}" in caught.value.message
    assert right in caught.value.hint


def test_a_label_file_names_the_files_of_its_own_folder_first(tmp_path: Path) -> None:
    entries = {
        "set/train/1.png": "",
        "set/test/1.png": "",
        "set/train/labels.csv": "filename,text\n1.png,one\n",
        "set/test/labels.csv": "filename,text\n1.png,two\n",
    }
    found = find_labels(source(tmp_path, entries), "auto")
    assert found.labels == {"set/test/1.png": "two", "set/train/1.png": "one"}


def test_listed_paths_are_found_from_a_folder_above_or_by_their_last_folders(
    tmp_path: Path,
) -> None:
    rows = "filename,text\ntrain/1.png,one\nC:\\data\\test\\1.png,two\n"
    entries = {"set/train/1.png": "", "set/test/1.png": "", "set/lists/labels.csv": rows}
    found = find_labels(source(tmp_path, entries), "auto")
    assert found.labels == {"set/test/1.png": "two", "set/train/1.png": "one"}


def test_a_base_name_that_two_files_have_is_named_with_both(tmp_path: Path) -> None:
    entries = {"train/1.png": "", "val/1.png": "", "labels.csv": "filename,text\n1.png,one\n"}
    problem, *_ = find_labels(source(tmp_path, entries), "auto").problems
    assert (problem.kind, problem.file) == ("missing_image", "1.png")
    assert problem.detail == ("labels.csv line 2 may mean train/1.png or val/1.png: give the path.")


@pytest.mark.parametrize(
    ("manifest", "listed"), [("labels.csv", "train/1.png"), ("train/labels.csv", "1.png")]
)
def test_a_file_that_is_missing_in_one_part_is_not_that_of_another(
    tmp_path: Path, manifest: str, listed: str
) -> None:
    entries = {"test/1.png": "", "train/2.png": "", manifest: f"filename,text\n{listed},one\n"}
    found = find_labels(source(tmp_path, entries), "auto")
    assert found.labels == {}
    assert "missing_image" in {problem.kind for problem in found.problems}
