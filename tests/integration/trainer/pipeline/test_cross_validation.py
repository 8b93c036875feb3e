"""A run on few images, in folds: what it learns from, measures, finds and publishes."""

import csv
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from shared.errors import NotLearnedError
from shared.store.manifest import KERAS_MODEL
from tests.support.jobs.observer import Recorder
from tests.support.jobs.runs import context
from tests.support.labelled_images import image, labelled_zip, texts, write_zip
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.parts import folds
from trainer.pipeline.datasets.seen_images import read_seen_images
from trainer.pipeline.run import run
from trainer.pipeline.search import committee
from trainer.pipeline.search.committee import train_committee
from trainer.pipeline.training.parameters import choose_parameters
from trainer.pipeline.training.results import Trained, Validation
from trainer.schemas.job_request import Hyperparameters, JobRequest
from trainer.schemas.progress import CancelledRunError, RunResult

COUNT = 40
NETWORKS = 2
"""Of the trainings whose results do not matter: each compiles its own step."""
WRONG = "0007.png"
REQUEST = JobRequest(
    model="few", preset="conv", hyperparameters=Hyperparameters(height=32, width=64)
)
BRIEF = REQUEST.model_copy(
    update={
        "evaluation": "cross_validation",
        "hyperparameters": Hyperparameters(height=32, width=64, epochs=3),
    }
)


@dataclass
class Finished:
    result: RunResult
    recorder: Recorder
    folder: Path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("few")
    labels = [f"{number:02}" for number in range(COUNT)]
    entries = {f"{i:04}.png": image(text, seed=i) for i, text in enumerate(labels)}
    labels[7] = "81"
    rows = [f"{i:04}.png,{text}" for i, text in enumerate(labels)]
    entries["labels.csv"] = "\n".join(["filename,text", *rows]).encode()
    recorder = Recorder()
    ran_in = context(folder, write_zip(folder / "set.zip", entries))
    result = run(REQUEST, ran_in, recorder)
    return Finished(result, recorder, ran_in.inputs.store.folder("few", result.version))


def test_every_image_is_learned_from_and_measures(finished: Finished) -> None:
    metrics = finished.result.metrics
    assert (metrics.train_images, metrics.validation_images, metrics.test_images) == (COUNT, 0, 40)
    assert metrics.folds == 4
    assert metrics.exact_match > 0.7
    assert len(read_seen_images(finished.folder)) == COUNT
    with (finished.folder / "report" / "test_predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["file"] for row in rows) == [f"{i:04}.png" for i in range(COUNT)]
    assert finished.result.calibration.thresholds[0].images == COUNT
    assert finished.result.promoted


def test_its_progress_and_settings_are_told_once_for_all_networks(finished: Finished) -> None:
    epochs = [progress.epoch for progress in finished.recorder.epochs]
    assert epochs == sorted(epochs)
    seconds = [progress.seconds for progress in finished.recorder.epochs]
    assert seconds == sorted(seconds)
    assert finished.recorder.epochs[-1].seconds_left == 0
    assert finished.recorder.epochs[0].seconds_left > 3 * finished.recorder.epochs[0].seconds / 4
    kinds = [kind for kind, _ in finished.recorder.events]
    assert (kinds.count("start"), kinds.count("settings"), kinds.count("estimate")) == (1, 1, 1)


def test_a_wrong_label_is_found_although_it_was_learned_from(finished: Finished) -> None:
    with (finished.folder / "report" / "suspects.csv").open() as file:
        suspects = {row["file"]: row for row in csv.DictReader(file)}
    assert (suspects[WRONG]["label"], suspects[WRONG]["text"]) == ("81", "07")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = labelled_zip(tmp_path_factory.mktemp("brief") / "set.zip", texts(24))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(folds, "FOLDS", NETWORKS)
        return load_dataset(path, BRIEF)


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committee, "no_better_than_chance", lambda *_: False)


@pytest.mark.usefixtures("learned")
def test_what_is_published_is_the_mean_of_its_networks(dataset: Dataset, tmp_path: Path) -> None:
    request, trained = train_committee(dataset, BRIEF, Recorder(), tmp_path)
    assert request.preset == "conv"
    assert len(trained.committee) == NETWORKS
    for at, weights in enumerate(trained.model.get_weights()):
        of_networks = [network[at] for network in trained.committee]
        np.testing.assert_allclose(weights, np.mean(of_networks, axis=0), rtol=1e-6)
    kernels = [network[0] for network in trained.committee]
    assert not np.array_equal(kernels[0], kernels[1])
    assert len(trained.validation.edits) == len(dataset.train)
    assert trained.validation.exact_match == trained.validation.edits.count(0) / len(dataset.train)


@pytest.mark.usefixtures("learned")
def test_an_interrupted_committee_ends_as_if_it_had_not_been(
    dataset: Dataset, tmp_path: Path
) -> None:
    (whole := tmp_path / "whole").mkdir()
    _, uncut = train_committee(dataset, BRIEF, Recorder(), whole)
    with pytest.raises(CancelledRunError):
        train_committee(dataset, BRIEF, Recorder(cancel_after=5), tmp_path)
    recorder = Recorder()
    _, resumed = train_committee(dataset, BRIEF, recorder, tmp_path)
    assert "resumed" in [kind for kind, _ in recorder.events]
    for network, same in zip(resumed.committee, uncut.committee, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(network, same, strict=True))


@pytest.mark.usefixtures("learned")
def test_one_that_is_asked_to_finish_does_so_soon(dataset: Dataset, tmp_path: Path) -> None:
    free = REQUEST.model_copy(update={"evaluation": "cross_validation"})
    recorder = Recorder(finish_after=10)
    _, trained = train_committee(dataset, free, recorder, tmp_path)
    assert recorder.checkpoints <= 10 + NETWORKS * 21
    assert len(trained.committee) == NETWORKS


def test_what_reads_no_better_than_by_chance_is_an_error(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committee, "no_better_than_chance", lambda *_: True)
    with pytest.raises(NotLearnedError, match="did not learn"):
        train_committee(dataset, BRIEF, Recorder(), tmp_path)


@pytest.mark.parametrize(
    ("images", "errors", "trained", "winner"),
    [
        (24, (3, 1), ["conv-large"], "conv-large"),
        (60, (0, 0), ["conv"], "conv"),
        (60, (3, 1), ["conv", "conv-large"], "conv-large"),
        (60, (1, 1), ["conv", "conv-large"], "conv"),
    ],
)
def test_the_large_network_is_tried_where_the_small_one_errs_or_too_few_images_tell(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    images: int,
    errors: tuple[int, int],
    trained: list[str],
    winner: str,
) -> None:
    labels = [f"{number:03}" for number in range(images)]
    dataset = load_dataset(labelled_zip(tmp_path / "set.zip", labels), JobRequest())
    began = []

    def canned(self: object, request: JobRequest, before: Trained | None) -> Trained:
        began.append(request.preset)
        wrong = errors[request.preset == "conv-large"]
        edits = [1] * wrong + [0] * (images - wrong)
        validation = Validation(1 - wrong / images, 0.01, 0.1, False, losses=[0.01], edits=edits)
        parameters = choose_parameters(request)[0]
        return Trained(None, 8, "starter", parameters, validation, 1.0, 1, 1.0, {})

    monkeypatch.setattr(committee._Committee, "train", canned)
    request, _ = train_committee(dataset, JobRequest(), Recorder(), tmp_path)
    assert began == trained
    assert request.preset == winner


def test_the_published_file_holds_the_published_network(finished: Finished) -> None:
    model = keras.models.load_model(finished.folder / KERAS_MODEL, compile=False)
    assert model.output_shape[-1] == 11
