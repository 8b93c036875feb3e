"""Every bundle says in two files what its model is, what was measured, and where it ends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.recognition.scoring import wilson_interval
from shared.store.builtin import STARTERS, builtin_store
from shared.store.bundles.model_card import CARD_JSON, CARD_MARKDOWN, describe
from shared.store.manifest import Learned, Manifest, verify_bundle
from shared.store.store import ModelStore
from tests.support.models.bundles import publish

REPORT: dict[str, Any] = {
    "by_length": {"2": {"images": 2, "right": 1}, "3": {"images": 1, "right": 1}},
    "by_character": {"a": {"count": 4, "right": 4}, "|": {"count": 3, "right": 0}},
}


def published(folder: Path, report: object = None, **change: object) -> tuple[Path, Manifest]:
    """Return the folder of a new bundle, and its manifest."""
    store = ModelStore(folder / "models")
    files = {"report/metrics.json": json.dumps(report).encode()} if report else {}
    manifest = publish(
        store, folder / "build", files=files, change=lambda m: m.model_copy(update=change)
    )
    return store.folder("default", manifest.version), store.manifest("default", manifest.version)


def card(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / CARD_JSON).read_text("utf-8"))
    return read


def test_a_bundle_lists_its_card_with_hashes(tmp_path: Path) -> None:
    folder, manifest = published(tmp_path)

    assert {CARD_JSON, CARD_MARKDOWN} <= manifest.files.keys()
    verify_bundle(folder, manifest.files)
    (folder / CARD_MARKDOWN).write_text("better")
    with pytest.raises(Exception, match=CARD_MARKDOWN):
        verify_bundle(folder, manifest.files)


def test_the_card_has_data_groups_and_figures_with_intervals(tmp_path: Path) -> None:
    folder, _ = published(tmp_path, REPORT)
    told = card(folder)

    assert (told["model"], told["version"]) == ("default", 1)
    assert told["data"]["trained_on"] == "gray stripes"
    assert told["data"]["images"]["test"] == 3
    assert told["figures"]["exact_match_interval"] == [0.44, 1.0]
    assert told["groups"]["by_length"][0] == {
        "group": "2",
        "images": 2,
        "correct": 0.5,
        "interval": [round(bound, 4) for bound in wilson_interval(1, 2)],
    }
    markdown = (folder / CARD_MARKDOWN).read_text("utf-8")
    assert "| exact match on 3 test images | 100.0 % | 44.0 % to 100.0 % |" in markdown
    assert r"| \| | 3 | 0.0 % |" in markdown


def test_a_second_attempt_with_the_same_files_writes_a_card_of_its_own(tmp_path: Path) -> None:
    published(tmp_path)
    folder, manifest = published(tmp_path)  # the build holds the first one's card

    assert card(folder)["version"] == manifest.version == 2
    verify_bundle(folder, manifest.files)


NOT_LEARNED = Learned(images=3, cer=1, constant="a", constant_cer=0.5, shuffled_cer=1, proven=False)


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        ({}, "3 test images tell little: its true accuracy may lie anywhere from 44.0 %"),
        ({"metrics": None}, "nothing was measured"),
        ({"unseen_characters": "c"}, "No label held these of them: c"),
        ({"learned": NOT_LEARNED}, "do not show that it has learned"),
        ({"label_lengths": {"2": 1, "10": 3}}, "Labels had 2 to 10 characters"),
    ],
)
def test_the_limits_follow_from_what_the_manifest_says(
    tmp_path: Path, change: dict[str, object], limit: str
) -> None:
    folder, _ = published(tmp_path, **change)

    assert any(limit in each for each in card(folder)["limits"])


def test_folds_are_told(tmp_path: Path) -> None:
    folder, manifest = published(tmp_path)
    assert manifest.metrics is not None
    metrics = manifest.metrics.model_copy(update={"folds": 4})
    limits = describe(manifest.model_copy(update={"metrics": metrics}), {})["limits"]

    assert not any("folds" in each for each in card(folder)["limits"])
    assert any("4 folds" in each for each in limits)


@pytest.mark.parametrize("damage", [lambda p: p.write_text("[1]"), lambda p: p.write_text("{")])
def test_a_report_that_cannot_be_read_gives_no_groups(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    (tmp_path / "build/report").mkdir(parents=True)
    damage(tmp_path / "build/report/metrics.json")
    folder, _ = published(tmp_path)

    assert card(folder)["groups"] == {"by_length": [], "by_character": []}


def test_names_from_outside_are_no_markup(tmp_path: Path) -> None:
    folder, _ = published(tmp_path, dataset="[x](http://evil)\n# <b>\x1b[31m")
    markdown = (folder / CARD_MARKDOWN).read_text("utf-8")

    assert r"\[x\]\(http://evil\)\\u000a\# \<b\>\\u001b\[31m" in markdown


@pytest.mark.parametrize("starter", STARTERS.values())
def test_the_starters_have_cards(starter: str) -> None:
    store = builtin_store()
    manifest = store.manifest(starter, 1)
    folder = store.folder(starter, 1)

    verify_bundle(folder, manifest.files)
    assert card(folder) == json.loads(json.dumps(describe(manifest, {})))
