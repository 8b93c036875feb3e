import copy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.support.jobs.observer import Recorder
from tests.support.labelled_images import labelled_zip, texts
from trainer.pipeline.datasets.dataset import Dataset, Rehearsal
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.writers.pack import pack
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.training import examples
from trainer.pipeline.training import examples as streaming
from trainer.pipeline.training.examples import Examples, InMemoryPart, StreamedPart
from trainer.pipeline.training.fitting import Fitting
from trainer.pipeline.training.parameters import choose_parameters
from trainer.schemas.job_request import Hyperparameters, JobRequest

BATCH = 8
REQUEST = JobRequest(
    base="none", hyperparameters=Hyperparameters(epochs=3, batch_size=BATCH, height=32, width=64)
)
IMAGE = 32 * 64


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A set in shards, read in windows of five batches from blocks of four images."""
    monkeypatch.setattr(streaming, "WINDOW_BYTES", 45 * IMAGE)
    monkeypatch.setattr(streaming, "BLOCK", 4)
    labels = [f"{i}{text}" for i, text in enumerate(texts(150))]
    pack(labelled_zip(tmp_path / "set.zip", labels), tmp_path / "shards", "auto", 40)
    return load_dataset(tmp_path / "shards", REQUEST)


def streamed(dataset: Dataset, rehearsal: Rehearsal | None = None) -> StreamedPart:
    return StreamedPart(dataset, dataset.train, rehearsal or Rehearsal())


def shown(part: StreamedPart, dataset: Dataset, seed: int, epoch: int) -> list[tuple[str, bytes]]:
    """Return labels and images in the order in which training sees them."""
    return [
        (dataset.vocabulary.decode(c for c in label if c >= 0), pixels.tobytes())
        for batch in part.shuffled(BATCH, seed, epoch)
        for pixels, label in zip(*batch, strict=True)
    ]


def test_every_image_comes_once_in_an_epoch_and_with_its_own_label(dataset: Dataset) -> None:
    memory = examples._part(dataset, dataset.train, dataset.rehearsal)
    assert isinstance(memory, InMemoryPart)
    once = Counter(shown(memory, dataset, 0, 0))
    assert set(once.values()) == {1}
    for epoch in range(3):
        assert Counter(shown(streamed(dataset), dataset, 0, epoch)) == once


def test_all_batches_but_the_last_are_full(dataset: Dataset) -> None:
    sizes = [len(pixels) for pixels, _ in streamed(dataset).shuffled(BATCH, 0, 0)]
    assert set(sizes[:-1]) == {BATCH}
    assert sum(sizes) == len(dataset.train)


def test_seed_and_epoch_alone_decide_on_the_order(dataset: Dataset) -> None:
    first = shown(streamed(dataset), dataset, 1, 4)
    assert shown(streamed(dataset), dataset, 1, 4) == first
    assert shown(streamed(dataset), dataset, 2, 4) != first
    assert shown(streamed(dataset), dataset, 1, 5) != first


def test_neighbours_on_the_disk_are_spread_over_the_epoch(dataset: Dataset) -> None:
    images = [(one.label, place) for place, one in enumerate(dataset.train.in_order())]
    places = dict(images)
    order = [places[label] for label, _ in shown(streamed(dataset), dataset, 0, 0)]
    # Of a random order, the mean distance of neighbours is a third of the whole.
    assert np.abs(np.diff(order)).mean() > len(order) / 5


def test_what_is_rehearsed_is_shown_among_the_images(dataset: Dataset) -> None:
    pixels = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 32, 64, 1), np.uint8)
    part = streamed(dataset, Rehearsal(tuple(pixels), ("0", "1", "2")))
    assert len(part) == len(dataset.train) + 3
    seen = dict(shown(part, dataset, 0, 0))
    assert [seen[str(i)] for i in range(3)] == [one.tobytes() for one in pixels]


def test_no_more_than_two_windows_are_decoded_ahead(dataset: Dataset) -> None:
    source = _Counting(dataset.source)
    object.__setattr__(dataset, "source", source)
    batches = streamed(dataset).shuffled(BATCH, 0, 0)
    next(batches)
    batches.close()  # type: ignore[attr-defined]  # it is a generator
    assert source.reads <= 2 * 45


class _Counting:
    """Counts what is read; the names in `broken` cannot be."""

    def __init__(self, source: ImageSource, broken: str = "") -> None:
        self.limits = source.limits
        self.reads = 0
        self._source, self._broken = source, broken

    def names(self) -> list[str]:
        return self._source.names()

    def read(self, name: str) -> bytes:
        self.reads += 1
        if name == self._broken:
            raise UnreadableEntryError("is gone")
        return self._source.read(name)


def test_what_cannot_be_read_any_more_ends_the_epoch(dataset: Dataset) -> None:
    broken = dataset.train.in_order()[-1].name
    object.__setattr__(dataset, "source", _Counting(dataset.source, broken))
    with pytest.raises(UnreadableEntryError):
        shown(streamed(dataset), dataset, 0, 0)


def test_a_streamed_run_goes_on_from_any_epoch_as_if_uncut(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "IN_MEMORY", 0)
    parts = Examples.of(dataset)
    assert isinstance(parts.train, StreamedPart)
    parameters, _ = choose_parameters(REQUEST)
    run = Fitting(dataset, parts, PRESETS["conv"], parameters, None, Recorder())
    uncut = run.first_state(0, 0.0)
    run.epoch(uncut)
    resumed = copy.deepcopy(uncut)
    run.epoch(uncut)
    run.restore(resumed)
    run.epoch(resumed)
    assert uncut.history[-1].loss == resumed.history[-1].loss
    assert uncut.best == resumed.best
    assert all(map(np.array_equal, uncut.weights, resumed.weights))
