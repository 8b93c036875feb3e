"""Wheel and sdist: built, compared, and installed in a fresh virtual environment."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from shared import __version__
from tests.support.paths import ROOT
from tests.support.registry import package_index  # noqa: F401 - a fixture

PACKAGES = ("shared", "trainer", "predictor", "readsmith")
LOCKS = {"trainer/requirements.lock", "trainer/cluster.lock"} | {
    "predictor/requirements.lock",
    "predictor/cluster.lock",
}
"""What the containers install; no part of the packages."""
BUILD = "import setuptools.build_meta as b, sys; print(getattr(b, 'build_' + sys.argv[1])('dist'))"


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed, and return what it wrote to standard output."""
    # What a developer's PYTHONPATH or settings hold is not in a user's environment.
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "READSMITH_"))
    }
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def checked_in() -> list[str]:
    """Return the files of the checkout that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def build(kind: str, source: Path) -> Path:
    """Build a wheel or an sdist in a folder of sources."""
    return source / "dist" / run(sys.executable, "-c", BUILD, kind, cwd=source).split()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of a copy of the checkout, so that nothing is written into it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in checked_in():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return build("sdist", copy)


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the sdist alone."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return build("wheel", folder / f"readsmith-{__version__}")


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"readsmith-{__version__}.dist-info/METADATA").decode()
    return Parser().parsestr(text)


def test_the_wheel_of_the_sdist_holds_every_file_of_the_packages_and_nothing_else(
    wheel: Path,
) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert packed == {name for name in checked_in() if name.split("/")[0] in PACKAGES} - LOCKS


def test_the_metadata_names_licence_authors_and_the_one_version(metadata: Message) -> None:
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Author"] == "Readsmith contributors"
    assert {"LICENSE", "NOTICE"} <= set(metadata.get_all("License-File", []))
    classifiers = metadata.get_all("Classifier", [])
    for minor in (11, 12, 13):
        assert f"Programming Language :: Python :: 3.{minor}" in classifiers
    assert not [name for name in classifiers if "Private" in name or "License ::" in name]


@pytest.mark.timeout(1800)  # of which the package index and a busy machine take most
@pytest.mark.usefixtures("package_index")
def test_a_fresh_environment_reads_an_image_with_the_wheel(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    pinned = tmp_path / "pinned.txt"
    lock = (ROOT / "predictor/requirements.lock").read_text(encoding="utf-8").splitlines()
    # Without their hashes: pip asks for one of everything that it installs, the wheel as well.
    pinned.write_text("\n".join(line.rstrip(" \\") for line in lock if "--hash" not in line))

    run(
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-compile",
        "-c",
        pinned,
        f"{wheel}[predictor]",
        cwd=tmp_path,
    )
    golden = ROOT / "shared/store/builtin_models/starter/versions/1/golden"
    read = run(python, "-m", "readsmith", "predict", golden / "0003.png", "--json", cwd=tmp_path)

    expected = json.loads((golden / "predictions.json").read_text())[2]["text"]
    assert json.loads(read)["results"][0]["text"] == expected
    shown = run(tmp_path / "venv/bin/readsmith", "--version", cwd=tmp_path)
    assert shown == f"readsmith {__version__}\n"
