"""Two hundred publishers' worth of races, with kills: never a half version, never a lost one."""

from itertools import cycle, islice
from pathlib import Path
from signal import SIGKILL

import pytest

from shared.store.store import ModelStore
from tests.support.models.bundles import bundle_files
from tests.support.models.publishers import (
    Watcher,
    ended,
    look,
    lost_changes,
    publish_and_die,
    publish_often,
    published_numbers,
    started,
)

PUBLICATIONS = 100
"""By each of two writers."""
KILLS = 20
FILES = len(bundle_files())


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.mark.parametrize("kills", [0, KILLS])
def test_two_writers_at_once_lose_nothing_and_show_nothing_half(
    store: ModelStore, tmp_path: Path, kills: int
) -> None:
    builds = tmp_path / "a", tmp_path / "b"
    with Watcher(store.root, tmp_path / "seen") as watcher:
        writers = [
            started(publish_often, store.root, build, build.name, PUBLICATIONS) for build in builds
        ]
        # one file after the other is the one that a killed writer never got to, the record too
        for number, survived in enumerate(islice(cycle(range(FILES + 3)), kills)):
            victim = started(
                publish_and_die, store.root, tmp_path / "c", f"killed-{number}", survived
            )
            assert ended(victim) == [-SIGKILL]
        assert ended(*writers) == [0, 0]
    numbers = published_numbers(*builds)
    print(
        f"{len(set(numbers))} versions of {2 * PUBLICATIONS} publications with {kills} kills; "
        f"{watcher.looks:,} looks, {len(watcher.faults)} at something half"
    )
    assert watcher.faults == []
    assert len(set(numbers)) == len(numbers) == 2 * PUBLICATIONS
    assert look(store) == []
    if not kills:
        assert numbers == list(range(1, 2 * PUBLICATIONS + 1))
        assert store.versions("default") == numbers[-5:]
        assert store.current("default") == numbers[-1]


def test_no_change_is_lost_among_publications_rollbacks_and_patterns(
    store: ModelStore, tmp_path: Path
) -> None:
    lost = lost_changes(store, tmp_path, publications=40, rollbacks=60, patterns=300)
    print(f"80 publications, 60 rollbacks, 300 patterns at once: {len(lost)} lost")
    assert lost == []
