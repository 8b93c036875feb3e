"""readsmith watch as a process, on real files, through a real predictor and with a store."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.store.store import ModelStore
from tests.support.models.bundles import png, publish
from tests.support.paths import ROOT
from tests.support.services import services
from tests.support.services.predictor import eventually

TEXTS = [a + b + c for a in "abc" for b in "abc" for c in "abc"]


@contextmanager
def watching(folder: Path, to: Path, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Watch a folder in a process of its own; killed at the end if it is still there."""
    command = [sys.executable, "-m", "readsmith", "watch", str(folder), "--to", str(to)]
    command += ["--model", "stripes", "--settle-seconds", "0.1", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with to.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=to.parent)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ended(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(timeout=60)


def rows(to: Path) -> list[dict[str, Any]]:
    if not to.exists():
        return []
    with to.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def drop(folder: Path, text: str) -> None:
    """Write an image as a camera does: in pieces, under its name from the start."""
    data = png(text)
    with (folder / f"{text}.png").open("wb") as file:
        file.write(data[:20])
        file.flush()
        file.write(data[20:])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    publish(ModelStore(tmp_path / "models"), tmp_path / "build", model="stripes")
    return tmp_path / "models"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "camera").mkdir()
    return tmp_path / "camera"


def test_killed_in_the_middle_it_loses_nothing_and_reads_nothing_twice(
    tmp_path: Path, store: Path, folder: Path
) -> None:
    to = tmp_path / "readings.csv"
    with services.predictor(tmp_path) as predictor:
        for text in TEXTS:
            drop(folder, text)
        (folder / "broken.png").write_bytes(b"no image")
        for kill in range(3):
            with watching(folder, to, "--url", predictor.url) as process:
                eventually(lambda least=4 * kill + 3: len(rows(to)) >= least)  # type: ignore[misc]
                process.send_signal(signal.SIGKILL)
                process.wait()
            # As after a power cut: the last line is not whole.
            os.truncate(to, to.stat().st_size - 9)
        before = len(rows(to)) - 1
        with watching(folder, to, "--url", predictor.url) as process:
            drop(folder, "a")
            eventually(lambda: len(rows(to)) == len(TEXTS) + 2)
            time.sleep(1)
            assert ended(process) == 0

    read = rows(to)
    assert before < len(TEXTS)
    assert sorted(each["file"] for each in read) == sorted(
        [*(f"{text}.png" for text in TEXTS), "a.png", "broken.png"]
    )
    assert to.read_text().count("file,bytes") == 1
    for each in read:
        if each["file"] == "broken.png":
            assert (each["status"], each["reason"]) == ("unreadable", "not_an_image")
        else:
            assert (each["text"], each["status"]) == (Path(each["file"]).stem, "accepted")


def test_it_waits_for_a_predictor_that_is_not_there_yet(
    tmp_path: Path, store: Path, folder: Path
) -> None:
    to, port = tmp_path / "readings.csv", services.free_port()
    drop(folder, "ab")
    with watching(folder, to, "--url", f"http://127.0.0.1:{port}") as process:
        eventually(lambda: b"Nothing answers" in to.with_suffix(".log").read_bytes())
        with services.predictor(tmp_path, port=port):
            eventually(lambda: len(rows(to)) == 1)
            assert ended(process) == 0

    [row] = rows(to)
    assert (row["file"], row["text"], row["model"], row["version"]) == (
        *("ab.png", "ab", "stripes"),
        "1",
    )


def test_with_a_store_it_marks_what_does_not_fit_and_reads_a_changed_file_again(
    tmp_path: Path, store: Path, folder: Path
) -> None:
    to = tmp_path / "readings.csv"
    drop(folder, "ab")
    drop(folder, "cc")
    arguments = ("--store", store, "--pattern", "a.", "--threshold", "0.9")
    with watching(folder, to, *arguments) as process:
        eventually(lambda: len(rows(to)) == 2)
        (folder / "ab.png").write_bytes(png("ac"))
        eventually(lambda: len(rows(to)) == 3)
        assert ended(process) == 0

    assert [(each["file"], each["status"]) for each in rows(to)] == [
        ("ab.png", "accepted"),
        ("cc.png", "doubtful"),
        ("ab.png", "accepted"),
    ]
    assert rows(to)[2]["text"] == "ac"


def test_a_wrong_model_or_ending_ends_it_at_once(tmp_path: Path, store: Path, folder: Path) -> None:
    with watching(folder, tmp_path / "readings.csv", "--store", tmp_path / "none") as process:
        assert process.wait(timeout=60) == 1
    with watching(folder, tmp_path / "readings.txt", "--store", store) as process:
        assert process.wait(timeout=60) == 2
    assert not (tmp_path / "readings.csv").exists()
