"""Every hostile h5 through `readsmith models import`: one sentence, nothing published or left."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hostile.h5 import BUILT, HOSTILE, MISFITS, Hostile, reader, write

ALL = HOSTILE | MISFITS | BUILT


def imported(h5: Path, store: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a session of its own."""
    readsmith = [sys.executable, "-m", "readsmith"]
    command = [*readsmith, "models", "import", str(h5), "--vocabulary", "abcd"]
    return subprocess.run(
        [*command, "--store", str(store)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        start_new_session=True,
        env=os.environ | {"READSMITH_TEST_IMPORT": str(h5)},
    )


def left_over(h5: Path) -> list[str]:
    """Return the processes that still carry the mark of this import."""
    mark = f"READSMITH_TEST_IMPORT={h5}".encode()
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                left.append(process.name)
        except OSError:
            continue  # it has ended
    return left


@pytest.mark.parametrize("name", ALL)
def test_a_hostile_h5_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    hostile: Hostile = ALL[name]
    hostile.write(tmp_path / "model.h5")
    ended = imported(tmp_path / "model.h5", tmp_path / "store")
    assert ended.returncode == 1
    assert re.search(hostile.sentence, " ".join(ended.stderr.split()))
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert not (tmp_path / "store").exists()
    assert left_over(tmp_path / "model.h5") == []
    print(f"refused: {name}")


def test_a_harmless_h5_is_published(tmp_path: Path) -> None:
    write(tmp_path / "model.h5", reader())
    ended = imported(tmp_path / "model.h5", tmp_path / "store")
    assert ended.returncode == 0, ended.stderr
    assert "version 1" in ended.stdout
