"""The tutorial as a reader goes through it, two trainings included."""

from pathlib import Path

from shared.store.manifest import read_manifest
from shared.store.store import ModelStore
from tests.support.code_blocks import FULL, run_page
from tests.support.paths import ROOT


def test_the_tutorial_ends_with_a_better_reader(tmp_path: Path) -> None:
    assert len(run_page(ROOT / "docs" / "tutorial.md", tmp_path, FULL)) == 6

    store = ModelStore(tmp_path / "var" / "models")
    first, second = (read_manifest(store.folder("drawn", version)).metrics for version in (1, 2))
    assert store.current("drawn") == 2
    assert first and second and second.exact_match > first.exact_match
