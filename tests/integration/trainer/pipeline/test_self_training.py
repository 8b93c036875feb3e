"""A committee that also learns from images without a text, where that reads the folds no worse."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.jobs.observer import Recorder
from tests.support.labelled_images import image, texts, write_zip
from trainer.pipeline.datasets.dataset import Dataset, Rehearsal
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.parts import folds
from trainer.pipeline.search import committee, self_training
from trainer.pipeline.search.committee import train_committee
from trainer.pipeline.search.self_training import is_worse
from trainer.pipeline.training.parameters import choose_parameters
from trainer.pipeline.training.results import Trained, Validation
from trainer.schemas.job_request import Hyperparameters, JobRequest
from trainer.schemas.progress import CancelledRunError

NETWORKS = 2
LABELLED = 24
BRIEF = JobRequest(
    preset="conv",
    evaluation="cross_validation",
    hyperparameters=Hyperparameters(height=32, width=64, epochs=3),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    labels = texts(LABELLED)
    entries = {f"{i:04}.png": image(text, seed=i) for i, text in enumerate([*labels, *texts(9)])}
    rows = [f"{i:04}.png,{text}" for i, text in enumerate(labels)]
    entries["labels.csv"] = "\n".join(["filename,text", *rows]).encode()
    path = write_zip(tmp_path_factory.mktemp("unlabelled") / "set.zip", entries)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(folds, "FOLDS", NETWORKS)
        return load_dataset(path, BRIEF)


@pytest.fixture(autouse=True)
def learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committee, "no_better_than_chance", lambda *_: False)
    monkeypatch.setattr(committee, "nothing_left", lambda *_: False)


def told(recorder: Recorder) -> list[str]:
    return [message for kind, message in recorder.events if kind == "self_training"]


def test_each_network_learns_from_what_the_one_before_it_read_with_confidence(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_training, "CONFIDENT", 0.0)
    monkeypatch.setattr(committee, "is_worse", lambda *_: False)
    (whole := tmp_path / "whole").mkdir()
    recorder = Recorder()
    _, uncut = train_committee(dataset, BRIEF, recorder, whole)
    assert 0 < uncut.unlabelled_images <= len(dataset.unlabelled)
    assert "are learned from as well" in told(recorder)[0]
    epochs = [progress.epoch for progress in recorder.epochs]
    assert epochs == sorted(epochs)
    cut = Recorder(cancel_after=recorder.checkpoints - 2)
    with pytest.raises(CancelledRunError):
        train_committee(dataset, BRIEF, cut, tmp_path)
    _, resumed = train_committee(dataset, BRIEF, Recorder(), tmp_path)
    for network, same in zip(resumed.committee, uncut.committee, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(network, same, strict=True))


def test_texts_that_no_network_is_sure_of_are_not_learned_from(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_training, "CONFIDENT", 1.1)
    recorder = Recorder()
    _, trained = train_committee(dataset, BRIEF, recorder, tmp_path)
    assert trained.unlabelled_images == 0
    assert told(recorder) == [
        f"The networks are sure of too few: 0 of the {len(dataset.unlabelled)} images without a "
        "text."
    ]


@pytest.mark.parametrize(("errors", "kept"), [(1, True), (9, False)])
def test_what_reads_the_folds_worse_is_left_out_again(
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    errors: int,
    kept: bool,
) -> None:
    def canned(
        self: object,
        request: JobRequest,
        before: Trained | None,
        taught: Sequence[Rehearsal] = (),
    ) -> Trained:
        return outcome(request, errors if taught else 2, "taught" if taught else "plain")

    def one_text_each(*_: object) -> list[Rehearsal]:
        return [Rehearsal((np.zeros((32, 64, 1), np.uint8),), ("A",))] * NETWORKS

    monkeypatch.setattr(committee._Committee, "train", canned)
    monkeypatch.setattr(committee, "self_labelled", one_text_each)
    recorder = Recorder()
    _, trained = train_committee(dataset, BRIEF, recorder, tmp_path)
    assert trained.base == ("taught" if kept else "plain")
    assert trained.unlabelled_images == (1 if kept else 0)
    assert ("left out again" in told(recorder)[0]) is not kept


def outcome(request: JobRequest, wrong: int, name: str) -> Trained:
    edits = [1] * wrong + [0] * (LABELLED - wrong)
    validation = Validation(1 - wrong / LABELLED, 0.1, 0.1, False, losses=[0.1], edits=edits)
    return Trained(None, 8, name, choose_parameters(request)[0], validation, 1.0, 1, 1.0, {})


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0], False),
        ([0, 0, 0, 0], [1, 0, 0, 0], False),
        ([0, 0, 0, 0], [1, 2, 0, 0], True),
        ([1, 0, 0, 0], [0, 2, 1, 0], False),
        ([2, 2, 1, 0], [0, 0, 0, 0], False),
    ],
)
def test_worse_is_more_than_one_image_by_chance(
    before: list[int], after: list[int], worse: bool
) -> None:
    old, new = (Validation(0, 0, 0, False, edits=edits) for edits in (before, after))
    assert is_worse(new, old) is worse
