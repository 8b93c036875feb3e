"""The file that readsmith watch appends to, which is also its memory."""

import csv
import json
from pathlib import Path

import pytest

from readsmith.services.readings_file import COLUMNS, ReadingsFile, Row
from shared.errors import SetupError
from shared.texts import text_of_cell


def row(name: str, text: str | None = "123", status: str = "accepted") -> Row:
    return {
        "file": name,
        "bytes": 7,
        "modified": "2026-05-01T12:00:00.000000001Z",
        "text": text,
        "confidence": 0.912345,
        "status": status,
        "reason": None,
        "detail": None,
        "model": "meter",
        "version": 3,
        "read_at": "2026-05-01T12:00:02Z",
    }


def written(path: Path, *rows: Row) -> None:
    with ReadingsFile(path) as readings:
        for each in rows:
            readings.append(each)


ODD = ["plain.png", "=1+1.png", "a,b.png", 'q"uote.png', "'=x.png", "zeile\n2.png", "ü.png"]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_what_is_written_is_known_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    written(path, *(row(each.replace("\n", "\\u000a")) for each in ODD))
    written(path, row("late.png", "124"), row("doubt.png", "9", status="doubtful"))

    with ReadingsFile(path) as readings:
        known = readings.known
        last = readings.last_accepted

    assert {file for file, _, _ in known} == {
        *(each.replace("\n", "\\u000a") for each in ODD),
        "late.png",
        "doubt.png",
    }
    assert last == "124"
    assert path.read_bytes().count(b"\n") == len(ODD) + 2 + (name == "out.csv")


def test_csv_has_one_header_and_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    written(path, row("=a.png", "-1"))
    written(path, row("b.png", "x\ny"), row("c.png", None))

    with path.open(newline="", encoding="utf-8") as file:
        header, formula, lines, nothing = csv.reader(file)

    assert header == list(COLUMNS)
    assert formula[0] == "'=a.png"
    assert text_of_cell(formula[3]) == "-1"
    assert lines[3] == "x\\u000ay"
    assert nothing[3] == ""


def test_json_lines_hold_every_field_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    written(path, row("=a.png", "-1"), row("c.png", None))

    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        row("=a.png", "-1"),
        row("c.png", None),
    ]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_line_cut_anywhere_is_removed_and_no_other(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    written(path, row("a.png"), row("b.png"))
    whole = path.read_bytes()
    first = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    for cut in (*range(1, first, 7), *range(first, len(whole))):
        path.write_bytes(whole[:cut])
        with ReadingsFile(path) as readings:
            files = [file for file, _, _ in readings.known]
            readings.append(row("c.png"))
        lines = path.read_bytes().splitlines(keepends=True)
        assert lines[:-1] == [
            line for line in whole[:cut].splitlines(keepends=True) if line.endswith(b"\n")
        ] or (cut < len(",".join(COLUMNS)) + 1)
        assert set(files) <= {"a.png", "b.png"}
        assert ("a.png" in files) == (cut >= first)
        assert b"c.png" in lines[-1]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("out.csv", b"file,text\n", 1),
        ("out.csv", ",".join(COLUMNS).encode() + b"\na,b\n", 2),
        ("out.csv", ",".join(COLUMNS).encode() + b"\n\xff\n", 2),
        ("out.jsonl", b"{}\n", 1),
        ("out.jsonl", b"[" * 2000 + b"\n", 1),
        ("out.jsonl", b'{"file": [], "bytes": 1, "modified": "", "status": ""}\n', 1),
        ("out.jsonl", b"\n", 1),
    ],
)
def test_a_file_of_something_else_is_left_alone(
    tmp_path: Path, name: str, content: bytes, line: int
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(SetupError, match=f"Line {line} of .* is not one of readsmith watch"):
        ReadingsFile(path)

    assert path.read_bytes() == content


def test_a_spreadsheets_mark_and_line_ends_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    written(path, row("a.png"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))

    with ReadingsFile(path) as readings:
        assert [file for file, _, _ in readings.known] == ["a.png"]


def test_two_cannot_write_to_one_file(tmp_path: Path) -> None:
    with (
        ReadingsFile(tmp_path / "out.csv"),
        pytest.raises(SetupError, match="Another process writes to"),
    ):
        ReadingsFile(tmp_path / "out.csv")
