"""The client where neither the services' packages nor what only Unix has can be imported."""

import re
import subprocess
import sys
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.services.scripted_api import serving
from tests.unit.readsmith.commands.test_jobs import JOB

NEEDED = ("requests", "pydantic")
OF_UNIX = ("fcntl", "grp", "pwd", "resource", "termios")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with the client, what it needs and what that needs, as a venv would hold it."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    for package in ("readsmith", "shared"):
        (folder / package).symlink_to(ROOT / package)
    for name in _with_requirements(*NEEDED):
        for top in {Path(str(file)).parts[0] for file in distribution(name).files or ()}:
            source = Path(str(distribution(name).locate_file(top)))
            if top != ".." and source.exists():
                (folder / top).symlink_to(source)
    return folder


def _with_requirements(*names: str) -> set[str]:
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        for line in distribution(name).requires or ():
            if "extra ==" not in line and (needed := re.match(r"[A-Za-z0-9._-]+", line)):
                left.append(needed[0])
    return found


def run(packages: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code with these packages alone, and without the modules that other systems lack."""
    start = f"import sys; sys.path.append({str(packages)!r})\n"
    start += "".join(f"sys.modules[{name!r}] = None\n" for name in OF_UNIX)
    command = [sys.executable, "-I", "-S", "-c", start + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_client_works_with_requests_and_pydantic_alone(packages: Path) -> None:
    def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
        if path == "/predict":
            return 404, {"title": "No", "status": 404, "detail": "No.", "code": "model_not_found"}
        return 200, {"data": [JOB], "has_more": False}

    with serving(answer) as url:
        done = run(
            packages,
            f"""
from readsmith.client import Client, ServiceError
client = Client({url!r}, {url!r}, api_key="rs_01234567_" + "a" * 43)
print(client.jobs()[0].id)
try:
    client.predict(b"image")
except ServiceError as error:
    print(error.code)
""",
        )
    assert (done.stdout.split(), done.stderr) == ([JOB["id"], "model_not_found"], "")


def test_other_packages_are_not_there(packages: Path) -> None:
    assert "No module named 'numpy'" in run(packages, "import numpy").stderr
    assert "fcntl" in run(packages, "import shared.access.api_keys").stderr


def test_the_client_is_typed_for_those_who_use_it() -> None:
    for package in ("readsmith", "shared"):
        spec = find_spec(package)
        assert spec is not None and spec.origin is not None
        assert Path(spec.origin).with_name("py.typed").exists()
    text = (ROOT / "pyproject.toml").read_text()
    for package in ("readsmith", "shared"):
        assert f'\n{package} = ["py.typed"]\n' in text
