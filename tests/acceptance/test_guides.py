"""The code blocks of tutorial and guides do what they show; tests/faults runs the long ones."""

import subprocess
from pathlib import Path

import pytest

from tests.support.code_blocks import FULL, QUICK, blocks, run_page
from tests.support.labelled_images import image
from tests.support.paths import ROOT
from tests.support.services.services import needs_nginx

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
        (named / f"{text}_{number:032x}.png").write_bytes(image(text, seed=number))
        (listed / f"{number}.png").write_bytes(image(text, seed=number))
        lines.append(f"more/{number}.png\t{text}\n")
    (tmp_path / "images_set" / "labels.txt").write_text("".join(lines))

    named_check, listed_check = run_page(DOCS / "how-to" / "ddddocr.md", tmp_path, QUICK)
    for printed in (named_check, listed_check):
        assert "4: AHX_" in printed
        assert "3 (12)" in printed


@needs_nginx
def test_nginx_takes_the_configuration_for_a_proxy(tmp_path: Path) -> None:
    [shown] = [b.code for b in blocks(DOCS / "how-to" / "proxy.md") if b.language == "nginx"]
    request = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=localhost"]
    certificate, key = tmp_path / "site.pem", tmp_path / "site.key"
    subprocess.run(
        [*request, "-out", str(certificate), "-keyout", str(key)], check=True, capture_output=True
    )
    shown = shown.replace("/etc/ssl/read.example.org.pem", str(certificate))
    shown = shown.replace("/etc/ssl/read.example.org.key", str(key))
    config = tmp_path / "nginx.conf"
    config.write_text(f"pid {tmp_path}/pid; events {{}} http {{ {shown} }}", encoding="utf-8")
    tried = subprocess.run(
        ["nginx", "-e", "stderr", "-t", "-c", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert tried.returncode == 0, tried.stderr
