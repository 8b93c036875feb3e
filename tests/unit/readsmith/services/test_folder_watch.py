"""What readsmith watch takes from a folder, and what it makes of an answer."""

import os
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from readsmith.client import ServiceError
from readsmith.services import folder_watch
from readsmith.services.arrivals import Arrivals
from readsmith.services.folder_watch import FolderWatch, Plausibility, StopRequest, as_number
from readsmith.services.readings_file import ReadingsFile, Row
from shared.errors import BundleError, NotAnImageError, ReadsmithError


def test_files_are_taken_once_they_have_not_changed_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("readsmith.services.arrivals.time.monotonic", lambda: clock[0])
    arrivals = Arrivals(tmp_path, 2.0)
    (tmp_path / "day").mkdir()
    for number, name in enumerate(("b.png", "day/a.JPG", "c.png")):
        (tmp_path / name).write_bytes(b"x" * 5)
        os.utime(tmp_path / name, ns=(0, 10**18 - number))
    for name in (".hidden.png", "notes.txt", "a.png.part", "readings.csv"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.png").symlink_to("b.png")

    def names() -> list[str]:
        return [each.name for each in arrivals.settled(set())]

    assert names() == []
    clock[0] += 1.9
    (tmp_path / "c.png").write_bytes(b"x" * 6)  # still being written
    os.utime(tmp_path / "c.png", ns=(0, 10**18 - 2))
    assert names() == []
    clock[0] += 0.2
    assert names() == ["day/a.JPG", "b.png"]
    clock[0] += 1.9
    assert names() == ["c.png", "day/a.JPG", "b.png"]
    [_, first, _] = arrivals.settled(set())
    assert [each.name for each in arrivals.settled({first.key})] == ["c.png", "b.png"]
    os.utime(tmp_path / "day/a.JPG", ns=(0, 10**18 + 5))
    arrivals.settled({first.key})
    clock[0] += 2.1
    assert "day/a.JPG" in [each.name for each in arrivals.settled({first.key})]


def test_a_folder_that_is_away_is_told_and_looked_for_again(tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    arrivals = Arrivals(folder, 0)

    assert arrivals.settled(set()) == []
    assert arrivals.problem == f"{folder} cannot be listed: No such file or directory."
    folder.mkdir()
    (folder / "a.png").touch()
    assert len(arrivals.settled(set())) == 1
    assert arrivals.problem is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("00123", "123"), ("12,5", "12.5"), ("12.5", "12.5"), ("1 2", None), ("-3", None), ("", None)],
)
def test_a_number_is_digits_with_a_point_or_a_comma(text: str, number: str | None) -> None:
    assert as_number(text) == (None if number is None else Decimal(number))


def test_a_doubtful_number_is_not_the_one_that_the_next_follows() -> None:
    expected = Plausibility(increasing=True, max_step=Decimal(10))
    texts = ("0100", "0105", "0104", "0905", "0106", "x", "0106", "0116", "0127")

    doubts = [expected.doubt(text) for text in texts]

    assert [doubt and doubt[0] for doubt in doubts] == [
        *(None, None, "below_last", "step_too_large", None, "not_a_number", None, None),
        "step_too_large",
    ]
    assert expected.last == 116


def test_a_step_may_go_down_where_nothing_says_increasing() -> None:
    expected = Plausibility(increasing=False, max_step=Decimal("0.5"), last=Decimal(20))

    assert expected.doubt("19,5") is None
    assert expected.doubt("20.1") is not None
    assert Plausibility(increasing=False, max_step=None).doubt("text") is None


class ScriptedReader:
    """Gives the next answer of a script for each image that is read."""

    def __init__(self, *script: dict[str, Any] | ReadsmithError) -> None:
        self.script = list(script)
        self.read_images: list[bytes] = []

    def read(self, images: Sequence[bytes]) -> Iterable[dict[str, Any] | ReadsmithError]:
        [image] = images
        self.read_images.append(image)
        answer = self.script.pop(0)
        if isinstance(answer, ServiceError | BundleError):
            raise answer
        yield answer

    def combine(self, images: Sequence[bytes]) -> dict[str, Any]:
        raise AssertionError(images)


def answered(text: str | None, confidence: float = 1.0, **more: Any) -> dict[str, Any]:
    accepted = text is not None and confidence >= 0.5
    origin = {"model": "meter", "version": 2}
    return {"text": text, "confidence": confidence, "accepted": accepted} | origin | more


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "in").mkdir()
    yield tmp_path / "in"


def watched(
    folder: Path, reader: ScriptedReader, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Row], list[str]]:
    """Watch until the reader's script is at its end."""
    stop = StopRequest()
    rows: list[Row] = []
    warnings: list[str] = []

    def wait(_: float) -> bool:
        stop.requested = stop.requested or not reader.script
        return stop.requested

    monkeypatch.setattr(stop, "wait", wait)
    with ReadingsFile(folder / "readings.jsonl") as readings:
        FolderWatch(
            Arrivals(folder, 0),
            reader,
            readings,
            Plausibility(increasing=True, max_step=None),
            tell=rows.append,
            warn=warnings.append,
        ).run(stop)
    return rows, warnings


def drop(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        (folder / name).write_bytes(name.encode())
        os.utime(folder / name, ns=(0, 10**18 + number))


def test_every_kind_of_answer_gets_its_status_and_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(folder, "1.png", "2.png", "3.png", "4.png", "5.png", "6.png", "7.png")
    broken = NotAnImageError("not_an_image", "It is none.", "Send one.")
    slow = BundleError("It ran for more than 30 s on an image.", "graph")
    crash = ServiceError("internal_error", "It broke.", "", 500)
    nothing = answered(None, 0.0, reason={"code": "nothing_fits", "message": "No text fits."})
    reader = ScriptedReader(
        answered("10"), answered("12", 0.4), answered("9"), nothing, broken, slow, crash
    )

    rows, _ = watched(folder, reader, monkeypatch)

    assert [(each["file"], each["status"], each["reason"]) for each in rows] == [
        ("1.png", "accepted", None),
        ("2.png", "doubtful", "low_confidence"),
        ("3.png", "doubtful", "below_last"),
        ("4.png", "doubtful", "nothing_fits"),
        ("5.png", "unreadable", "not_an_image"),
        ("6.png", "unreadable", "bundle_invalid"),
        ("7.png", "unreadable", "internal_error"),
    ]
    assert rows[4]["detail"] == "It is none."


def test_a_predictor_that_is_away_is_asked_until_it_answers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(folder, "1.png", "2.png")
    away = ServiceError("unreachable", "Nothing answers.", "")
    loading = ServiceError("no_version_served", "Loading.", "", 503)
    reader = ScriptedReader(away, away, loading, answered("1"), away, answered("2"))

    rows, warnings = watched(folder, reader, monkeypatch)

    assert [each["text"] for each in rows] == ["1", "2"]
    assert reader.read_images == [b"1.png"] * 4 + [b"2.png"] * 2
    assert [each.partition(".")[0] for each in warnings] == [
        "Nothing answers", "Loading", "Nothing answers",
    ]  # fmt: skip


def test_what_a_predictor_refuses_whatever_the_image_ends_the_watch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(folder, "1.png")
    reader = ScriptedReader(ServiceError("key_missing", "No key.", "", 401))

    with pytest.raises(ServiceError, match="No key"):
        watched(folder, reader, monkeypatch)

    assert (folder / "readings.jsonl").read_text() == ""


def test_a_stop_while_the_predictor_is_away_leaves_the_image_for_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(folder, "1.png")
    away = ServiceError("unreachable", "Nothing answers.", "")

    rows, _ = watched(folder, ScriptedReader(away), monkeypatch)
    later, _ = watched(folder, ScriptedReader(answered("1")), monkeypatch)

    assert rows == []
    assert [each["text"] for each in later] == ["1"]


def test_a_file_that_cannot_be_opened_is_tried_for_a_while(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(folder, "1.png", "2.png")
    clock = [0.0]

    def broken(path: Path, most: int) -> bytes:
        clock[0] += 4.0
        if path.name == "1.png":
            raise OSError(5, "Input/output error")
        return path.read_bytes()

    monkeypatch.setattr(folder_watch, "read_small", broken)
    monkeypatch.setattr("readsmith.services.folder_watch.time.monotonic", lambda: clock[0])
    reader = ScriptedReader(answered("2"))
    stop = StopRequest()
    waits = iter(range(6))

    def wait(_: float) -> bool:
        stop.requested = next(waits) == 5
        return stop.requested

    monkeypatch.setattr(stop, "wait", wait)
    rows: list[Row] = []
    with ReadingsFile(folder / "readings.jsonl") as readings:
        FolderWatch(
            Arrivals(folder, 0), reader, readings, Plausibility(increasing=False, max_step=None),
            tell=rows.append, warn=print,
        ).run(stop)  # fmt: skip

    assert [(each["file"], each["status"]) for each in rows] == [
        ("2.png", "accepted"),
        ("1.png", "unreadable"),
    ]
    assert rows[1]["detail"] == "The file cannot be read: Input/output error."
