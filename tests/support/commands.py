"""The command line in the process of a test, with a store and images to work on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from readsmith.__main__ import app
from shared.store.store import ModelStore
from tests.support.models.bundles import png, publish

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store that holds two versions of the model `stripes`."""
    folder = tmp_path / "store"
    for _ in range(2):
        publish(ModelStore(folder), tmp_path / "build", model="stripes")
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of eleven labelled images; the label of one of them is wrong."""
    folder = tmp_path / "images"
    folder.mkdir()
    texts = ("a", "b", "c", "aa", "ab", "ac", "ba", "bb", "bc", "ca")
    for text in texts:
        (folder / f"{text}.png").write_bytes(png(text))
    (folder / "cc.png").write_bytes(png("cb"))
    return folder
