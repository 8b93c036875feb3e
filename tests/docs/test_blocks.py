"""The code blocks of tutorial and guides do what they show; tests/faults runs the long ones."""

from pathlib import Path

import pytest

from tests.docs.blocks import FULL, QUICK, ROOT, blocks, run_page
from tests.drawn import picture

DOCS = ROOT / "docs"
PAGES = [
    DOCS / "index.md",
    DOCS / "tutorial.md",
    *sorted((DOCS / "how-to").glob("*.md")),
    *sorted((DOCS / "explanation").glob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_block_that_is_not_run_says_why(page: Path) -> None:
    for block in blocks(page):
        if block.language in ("sh", "python") and block.why:
            assert block.why.startswith(QUICK)
            assert not block.why.startswith(FULL) or block.why.partition(": ")[2]
        assert block.language != "python" or block.why or block.file


def test_the_quick_part_of_the_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    assert len(run_page(DOCS / "tutorial.md", tmp_path, QUICK)) == 2


def test_both_forms_of_a_set_for_ddddocr_are_taken_as_shown(
    tmp_path: Path,
) -> None:
    listed = tmp_path / "images_set" / "images" / "more"
    named = tmp_path / "names"
    listed.mkdir(parents=True)
    named.mkdir()
    lines = []
    for number in range(12):
        text = f"A_{'HX'[number % 2]}"
        (named / f"{text}_{number:032x}.png").write_bytes(picture(text, seed=number))
        (listed / f"{number}.png").write_bytes(picture(text, seed=number))
        lines.append(f"more/{number}.png\t{text}\n")
    (tmp_path / "images_set" / "labels.txt").write_text("".join(lines))

    named_check, listed_check = run_page(DOCS / "how-to" / "ddddocr.md", tmp_path, QUICK)
    for printed in (named_check, listed_check):
        assert "4: AHX_" in printed
        assert "3 (12)" in printed
