"""The code blocks of a page, and how they are run.

A comment before a block, `<!-- not run: … -->` or `<!-- runs for minutes … -->`, says why the
quick tests leave it out. A block `text` right behind one that is run is what it must print.
"""

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

BLOCK = re.compile(
    r"(?:^ *<!-- (?P<why>.+?) -->\n)?"
    r'^ *```(?P<language>\w+)(?: title="(?P<file>[^"]+)")?\n(?P<code>.*?)^ *```$',
    re.MULTILINE | re.DOTALL,
)
FULL, QUICK = "not run", ("not run", "runs for minutes")
"""What the comments begin with of the blocks that a full, and a quick, run leaves out."""


@dataclass(frozen=True)
class Block:
    """One code block; why: the comment before it, file: the name it is to be saved under."""

    language: str
    code: str
    why: str
    file: str | None


def blocks(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a page."""
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        code = textwrap.dedent(found["code"])
        yield Block(found["language"], code, found["why"] or "", found["file"])


def run_page(page: Path, folder: Path, left_out: str | tuple[str, ...]) -> list[str]:
    """Run a page's blocks in a folder; return what each printed. AssertionError if one fails."""
    printed: str | None = None
    outputs = []
    for block in blocks(page):
        if block.language == "text" and printed is not None:
            assert _lines(printed) == _lines(block.code)
        printed = None
        if block.why.startswith(left_out):
            continue
        if block.file:
            (folder / block.file).write_text(block.code, encoding="utf-8")
        elif block.language == "sh":
            outputs.append(_run(block.code, folder))
            printed = None if block.why else outputs[-1]
    return outputs


def _run(code: str, folder: Path) -> str:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("READSMITH_")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        env=inherited | {"PATH": programs, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
