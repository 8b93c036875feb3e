"""What the shell is offered while a command is typed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "readsmith"]


def offered(typed: str, folder: Path, **settings: str) -> list[str]:
    """Return what bash would offer for the last word of a line."""
    asked = {
        "_READSMITH_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
    }
    told = subprocess.run(
        COMMAND, env=os.environ | asked | settings, cwd=folder, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return told.stdout.split()


def test_commands_and_options_are_offered(tmp_path: Path) -> None:
    assert offered("readsmith tr", tmp_path) == ["train"]
    assert offered("readsmith models ro", tmp_path) == ["rollback"]
    assert offered("readsmith train --max-m", tmp_path) == ["--max-minutes"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("readsmith predict a.png --model s", ["stripes", "starter"]),
        ("readsmith models promote st", ["stripes", "starter"]),
        ("readsmith train --preset c", ["conv", "conv-large", "crnn"]),
        ("readsmith train --promote a", ["auto", "always"]),
    ],
)
def test_values_are_offered(store: Path, typed: str, words: list[str]) -> None:
    assert offered(typed, store.parent, READSMITH_STORE=str(store)) == words


def test_models_of_the_store_that_is_named_are_offered(store: Path) -> None:
    typed = "readsmith predict --store store --model str"

    assert offered(typed, store.parent) == ["stripes"]


def test_completion_can_be_installed(tmp_path: Path) -> None:
    # Typer otherwise looks for a shell among the parents, and a test may have none.
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    environment = os.environ | {"HOME": str(tmp_path)} | named

    subprocess.run(
        [*COMMAND, "--install-completion", "bash"],
        env=environment, cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip

    assert "readsmith" in (tmp_path / ".bashrc").read_text(encoding="utf-8")
