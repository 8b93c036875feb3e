"""Which new versions are served: real bundles read a real test part; nothing is trained."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from shared.store.manifest import ONNX_MODEL, SEEN_IMAGES, Comparison, Learned
from shared.store.store import ModelStore
from tests.support.hostile.graphs import crashing, endless
from tests.support.jobs.observer import Recorder
from tests.support.labelled_images import write_zip
from tests.support.models.bundles import png, publish
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.seen_images import write_seen_images
from trainer.pipeline.evaluation import promotion as promotion_module
from trainer.pipeline.evaluation.predictions import LabelledPrediction
from trainer.pipeline.evaluation.promotion import Promotion, compare_with, compared, report_outcome
from trainer.pipeline.networks import inference
from trainer.schemas.job_request import JobRequest, Promote
from trainer.schemas.progress import CancelledRunError

TEXTS = ["".join(letters) for n in (1, 2, 3, 4) for letters in product("abc", repeat=n)]
"""120 texts, of which 12 are the test part."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("set")
    images = {f"{text}.png": png(text) for text in TEXTS}
    return load_dataset(write_zip(folder / "set.zip", images), JobRequest(evaluation="test_part"))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def predictions(dataset: Dataset, right: int) -> list[LabelledPrediction]:
    """Return what a new version is said to have read: so many right, the others wrong."""
    return [
        LabelledPrediction(image.name, image.label, image.label if number < right else "?", 0.9)
        for number, image in enumerate(dataset.test)
    ]


def compare(
    dataset: Dataset, store: ModelStore, right: int, recorder: Recorder | None = None
) -> Comparison | None:
    return compare_with(
        1, predictions(dataset, right), dataset, store, "default", recorder or Recorder()
    )


def learned(*, proven: bool = True) -> Learned:
    return Learned(
        images=12, cer=0.1, constant="abc", constant_cer=0.7, shuffled_cer=0.8, proven=proven
    )


def promotion(dataset: Dataset, store: ModelStore, right: int, wanted: Promote) -> Promotion:
    return Promotion(wanted, learned(), lambda _: compare(dataset, store, right))


def test_both_versions_are_measured_on_the_same_images(
    dataset: Dataset, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "build")
    comparison = compare(dataset, store, right=9)
    assert comparison is not None
    assert (comparison.images, comparison.gained, comparison.lost) == (12, 0, 3)
    assert (comparison.exact_match, comparison.served_exact_match) == (0.75, 1.0)
    low, high = comparison.exact_match_interval
    assert low < 0.75 < high
    assert comparison.served_exact_match_interval[1] == 1.0


def test_a_served_version_that_does_not_know_a_character_reads_it_wrong(
    dataset: Dataset, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "build", characters="ab")
    comparison = compare(dataset, store, right=12)
    assert comparison is not None
    assert comparison.served_exact_match < 0.5
    assert comparison.gained == round(12 * (1 - comparison.served_exact_match))


@pytest.mark.parametrize(
    ("gained", "lost", "worse"),
    [(0, 0, False), (0, 3, False), (0, 4, True), (1, 6, False), (1, 7, True), (2, 8, False),
     (2, 9, True), (5, 13, False), (5, 14, True), (20, 20, False), (41, 59, False), (40, 60, True)],
)  # fmt: skip
def test_clearly_worse_is_who_loses_more_than_chance_explains(
    gained: int, lost: int, worse: bool
) -> None:
    truths = {f"{number}": "a" for number in range(gained + lost + 5)}
    texts = {name: "a" if int(name) >= gained else "?" for name in truths}
    new = [
        LabelledPrediction(name, "a", "?" if gained <= int(name) < gained + lost else "a", 0.9)
        for name in truths
    ]
    comparison = compared(1, new, texts)
    assert (comparison.gained, comparison.lost) == (gained, lost)
    assert comparison.clearly_worse is worse


@pytest.mark.parametrize(
    ("wanted", "right", "promoted"),
    [("auto", 12, True), ("auto", 9, True), ("auto", 8, False), ("always", 0, True),
     ("never", 12, False)],
)  # fmt: skip
def test_a_new_version_is_served_unless_it_is_clearly_worse(
    dataset: Dataset, store: ModelStore, tmp_path: Path, wanted: Promote, right: int, promoted: bool
) -> None:
    publish(store, tmp_path / "build")
    assert promotion(dataset, store, right, wanted).decide(1) is promoted


@pytest.mark.parametrize(("wanted", "promoted"), [("auto", True), ("never", False)])
def test_a_first_version_is_served_unless_it_never_shall(
    dataset: Dataset, store: ModelStore, wanted: Promote, promoted: bool
) -> None:
    first = promotion(dataset, store, 0, wanted)
    assert first.decide(None) is promoted
    assert first.comparison is None


def test_images_that_the_served_version_was_trained_on_are_left_out(
    dataset: Dataset, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "build", files=seen(dataset, 10, tmp_path))
    comparison = compare(dataset, store, right=11)
    assert comparison is not None
    assert (comparison.images, comparison.exact_match, comparison.lost) == (2, 0.5, 1)


def test_without_an_image_that_is_new_to_the_served_version_there_is_no_comparison(
    dataset: Dataset, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "build", files=seen(dataset, 12, tmp_path))
    recorder = Recorder()
    assert compare(dataset, store, 0, recorder) is None
    [(kind, message)] = recorder.events
    assert kind == "warning" and "trained on all 12 images" in message
    assert promotion(dataset, store, 0, "auto").decide(1)


def seen(dataset: Dataset, count: int, folder: Path) -> dict[str, bytes]:
    """Return the file that says that a version was trained on so many images of the test part."""
    write_seen_images([dataset.train + dataset.test[:count]], frozenset(), folder)
    return {SEEN_IMAGES: (folder / SEEN_IMAGES).read_bytes()}


@pytest.mark.parametrize("name", [ONNX_MODEL, "manifest.json"])
def test_a_damaged_served_version_stops_nobody(
    dataset: Dataset, store: ModelStore, tmp_path: Path, name: str
) -> None:
    publish(store, tmp_path / "build")
    (store.folder("default", 1) / name).write_bytes(b"{}")
    recorder = Recorder()
    assert compare(dataset, store, 12, recorder) is None
    [(kind, message)] = recorder.events
    assert kind == "warning" and name in message
    assert promotion(dataset, store, 0, "auto").decide(1)


def test_a_graph_that_is_none_stops_nobody(
    dataset: Dataset, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "build", files={ONNX_MODEL: b"no graph, but the hash is right"})
    assert compare(dataset, store, 12) is None


@pytest.mark.parametrize("graph", [endless, crashing])
def test_a_graph_that_hangs_or_crashes_stops_nobody(
    dataset: Dataset,
    store: ModelStore,
    tmp_path: Path,
    graph: Callable[[], bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(store, tmp_path / "build", files={ONNX_MODEL: graph()})
    monkeypatch.setattr(promotion_module, "_predict_all", within_seconds)
    recorder = Recorder()
    assert compare(dataset, store, 12, recorder) is None
    [(kind, message)] = recorder.events
    assert kind == "warning" and "ProcessDiedError" in message


def within_seconds(*args: Any) -> dict[str, str]:
    """Predict in a clean process, with a limit that a test can wait for."""
    inference.GRAPH_SECONDS = 5
    return PREDICT_ALL(*args)


PREDICT_ALL = promotion_module._predict_all


def test_a_version_that_vanishes_stops_nobody(dataset: Dataset, store: ModelStore) -> None:
    assert compare(dataset, store, 12) is None


def test_a_cancelled_run_compares_no_further(
    dataset: Dataset, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "build")
    with pytest.raises(CancelledRunError):
        compare(dataset, store, 12, Recorder(cancel_after=0))


@pytest.mark.parametrize("evidence", [None, learned(proven=False)])
@pytest.mark.parametrize(("wanted", "promoted"), [("auto", False), ("always", True)])
def test_what_was_not_shown_to_have_learned_is_served_only_on_demand(
    evidence: Learned | None, wanted: Promote, promoted: bool
) -> None:
    assert Promotion(wanted, evidence, lambda _: None).decide(None) is promoted


@pytest.mark.parametrize(
    ("evidence", "why"),
    [
        (None, "held back are too few to tell whether it has learned"),
        (learned(proven=False), "error rate is 10%; answering 'abc' every time has 70%"),
    ],
)
def test_why_it_is_not_served_and_how_to_serve_it_is_said(
    store: ModelStore, tmp_path: Path, evidence: Learned | None, why: str
) -> None:
    publish(store, tmp_path / "build")
    recorder = Recorder()
    report_outcome(
        store.manifest("default", 1).model_copy(update={"learned": evidence}), False, recorder
    )
    [(_, message)] = recorder.events
    assert why in message
    assert message.endswith("Serve it all the same: readsmith models promote default 1.")


def test_what_became_current_meanwhile_is_compared_with_too(
    dataset: Dataset, store: ModelStore, tmp_path: Path
) -> None:
    compared_with = []

    def remember(served: int) -> None:
        compared_with.append(served)

    waiting = Promotion("auto", learned(), remember)
    publish(store, tmp_path / "build")
    waiting.measure(store.current("default"))
    publish(store, tmp_path / "build")
    store.publish(
        tmp_path / "build",
        lambda version, files: store.manifest("default", 2).model_copy(
            update={"version": version, "files": files, "job_id": "late"}
        ),
        model="default",
        job_id="late",
        promote=waiting.decide,
    )
    assert compared_with == [1, 2]


def test_the_outcome_is_told_with_both_figures(
    dataset: Dataset, store: ModelStore, tmp_path: Path
) -> None:
    publish(store, tmp_path / "build")
    comparison = compare(dataset, store, right=6)
    second = publish(
        store,
        tmp_path / "build",
        promote=False,
        change=lambda manifest: manifest.model_copy(update={"comparison": comparison}),
    )
    recorder = Recorder()
    report_outcome(second, False, recorder)
    [(kind, message)] = recorder.events
    assert kind == "promotion"
    assert "Version 2 is published, but not served." in message
    assert "On 12 test images it predicts 50.0%" in message
    assert "version 1 100.0%" in message
    assert store.manifest("default", 2).comparison == comparison
