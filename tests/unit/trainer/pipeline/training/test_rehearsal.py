from pathlib import Path

import numpy as np

from tests.support.labelled_images import image, labelled_zip, texts, write_zip
from trainer.pipeline.datasets.dataset import Base, Dataset, Rehearsal
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.networks.inference import load_pixels
from trainer.pipeline.training.examples import Examples
from trainer.pipeline.training.rehearsal import read_rehearsal, write_rehearsal
from trainer.schemas.job_request import FilenameLabels, FilenameLabelSource, JobRequest


def loaded(folder: Path, count: int, seed: int, base: Base | None = None) -> Dataset:
    name = folder / f"{count}-{seed}.zip"
    return load_dataset(
        labelled_zip(name, texts(count, seed=seed)), JobRequest(evaluation="test_part"), base
    )


def base_of(dataset: Dataset, bundle: Path) -> Base:
    write_rehearsal(dataset, 0, bundle)
    rehearsal = read_rehearsal(bundle)
    return Base("m/1", dataset.image, dataset.vocabulary, {}, frozenset(), rehearsal)


def test_a_bundle_keeps_a_sample_of_its_training_part_and_of_its_bases(tmp_path: Path) -> None:
    first = loaded(tmp_path, 300, 0)
    base = base_of(first, tmp_path)
    pixels = load_pixels(first.source, first.train, first.image)
    pairs = {(p.tobytes(), i.label) for p, i in zip(pixels, first.train, strict=True)}
    kept = base.rehearsal
    assert len(kept.labels) == 128
    assert {(p.tobytes(), t) for p, t in zip(kept.pixels, kept.labels, strict=True)} <= pairs
    second = base_of(loaded(tmp_path, 60, 1, base), tmp_path).rehearsal
    earlier = sum(p.tobytes() in {q.tobytes() for q in kept.pixels} for p in second.pixels)
    assert len(second.labels) == 128
    assert 64 < earlier < 128


def test_training_goes_on_showing_what_the_base_rehearses(tmp_path: Path) -> None:
    base = base_of(loaded(tmp_path, 100, 0), tmp_path)
    dataset = loaded(tmp_path, 60, 1, base)
    [(pixels, labels)] = Examples.of(dataset).train.in_order(1000)
    own, rehearsed = len(dataset.train), len(base.rehearsal.labels)
    assert len(pixels) == len(labels) == own + rehearsed
    assert np.array_equal(np.stack(pixels[own:]), np.stack(base.rehearsal.pixels))
    words = [dataset.vocabulary.decode(c for c in row if c >= 0) for row in labels]
    assert tuple(words[own:]) == base.rehearsal.labels


def test_a_bundle_without_a_sample_rehearses_nothing(tmp_path: Path) -> None:
    assert read_rehearsal(tmp_path) == Rehearsal()


def test_a_sample_keeps_images_of_different_widths(tmp_path: Path) -> None:
    entries = {f"AB_{i:02}.png": image("AB", (40 + 10 * i, 20), i) for i in range(30)}
    request = JobRequest(labels=FilenameLabelSource(filename=FilenameLabels(pattern="[A-Z]+")))
    dataset = load_dataset(write_zip(tmp_path / "set.zip", entries), request)
    write_rehearsal(dataset, 0, tmp_path)
    written = load_pixels(dataset.source, dataset.train, dataset.image)
    assert len({one.shape for one in written}) > 3
    kept = read_rehearsal(tmp_path).pixels
    assert sorted(one.tobytes() for one in kept) == sorted(one.tobytes() for one in written)
