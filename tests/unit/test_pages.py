"""Whatever a browser shows comes from the service itself, and may run nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from predictor.api.app import create_app as predictor_app
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from tests.support.paths import ROOT
from trainer.api.app import create_app as trainer_app
from trainer.settings import Settings

FOLDERS = (ROOT / "trainer/api/dashboard", ROOT / "predictor/api/page")
OURS = sorted(
    path
    for folder in FOLDERS
    for path in folder.rglob("*.*")
    if path.suffix in (".html", ".js", ".css") and "swagger-ui" not in path.parts
)
ELSEWHERE = re.compile(
    r"""(src|href|import|from|url|fetch)\s*[=(]?\s*["'(]?\s*(https?:)?//""", re.I
)
PAGES = ("/", "/docs")


def answers(tmp_path: Path, path: str) -> list[tuple[str, dict[str, str]]]:
    """Return text and headers of a page of the trainer and of the predictor."""
    settings = PredictorSettings(store=tmp_path / "models")
    one = predictor_app(settings, Registry(settings)).test_client()
    shown = one.get(path, headers={"Accept": "text/html", "Host": "localhost"})
    with TestClient(
        trainer_app(Settings(store=tmp_path / "models", state=tmp_path / "state")),
        base_url="http://localhost",
    ) as client:
        other = client.get(path)
    assert shown.status_code == other.status_code == 200
    return [(shown.get_data(as_text=True), dict(shown.headers)), (other.text, dict(other.headers))]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_forbids_frames_inline_scripts_and_other_hosts(
    tmp_path: Path, path: str
) -> None:
    for text, headers in answers(tmp_path, path):
        policy = {name.lower(): value for name, value in headers.items()}["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "http" not in policy
        assert not ELSEWHERE.search(text)
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\son\w+=", text)


@pytest.mark.parametrize("file", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_of_a_page_refers_to_another_host(file: Path) -> None:
    assert not ELSEWHERE.search(file.read_text(encoding="utf-8"))


def test_a_reference_to_another_host_would_be_found() -> None:
    for text in ('<script src="https://a/b.js">', "import x from '//a/b.js'", "url(http://a)"):
        assert ELSEWHERE.search(text)


def test_fastapis_own_pages_are_not_served(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path / "models", state=tmp_path / "state")
    with TestClient(trainer_app(settings), base_url="http://localhost") as client:
        for path in ("/redoc", "/docs/oauth2-redirect"):
            assert client.get(path).status_code == 404


def test_the_wheel_holds_every_file_of_the_pages() -> None:
    script = (
        "from setuptools import Distribution\n"
        "one = Distribution({'script_name': 'x', 'src_root': '.'}); one.parse_config_files()\n"
        "build = one.get_command_obj('build_py'); build.ensure_finalized()\n"
        "print(*(f'{source}/{name}' for _, source, _, names in build.data_files "
        "for name in names), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    packed = {line.rpartition("/")[2] for line in done.stdout.splitlines()}
    files = {path.name for folder in FOLDERS for path in folder.rglob("*") if path.is_file()}
    assert files <= packed
