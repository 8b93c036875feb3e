"""What `make` says where it cannot install."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / ".ci").mkdir()
    for name in ("Makefile", ".ci/install"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "requirements.lock").touch()
    return tmp_path


def make(checkout: Path, python: str) -> str:
    command = ["make", "run", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    return done.stderr


def interpreter(checkout: Path, script: str) -> str:
    path = checkout / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_missing_python_is_one_clear_line(checkout: Path) -> None:
    first, *rest = make(checkout, "python-that-is-not-there").splitlines()

    assert first.startswith("There is no python-that-is-not-there. Install Python 3.11 to 3.13")
    assert len(rest) == 1  # make's own


def test_an_old_python_is_named(checkout: Path) -> None:
    python = interpreter(checkout, 'case "$1" in -V) echo Python 3.9.2;; *) exit 1;; esac')

    assert "is Python 3.9.2; Python 3.11 to 3.13 is needed." in make(checkout, python)


def test_a_missing_venv_module_is_named_with_its_package(checkout: Path) -> None:
    python = interpreter(checkout, 'case "$2" in *ensurepip*) exit 1;; esac')

    assert "has no venv module (Debian: apt install python3-venv)." in make(checkout, python)
