"""A run on a set that also holds images with nothing to read."""

import csv
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from shared.store.store import ModelStore
from tests.support.jobs.observer import Recorder
from tests.support.jobs.runs import QUICK, context
from tests.support.labelled_images import SIZE, image, texts, write_zip
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.source import FolderSource
from trainer.pipeline.run import run


def noise(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, SIZE[::-1], np.uint8)
    Image.fromarray(pixels).save(data := io.BytesIO(), "PNG")
    return data.getvalue()


def a_set(path: Path) -> Path:
    labels = texts(160)
    files = {f"{i:04}.png": image(text, seed=i) for i, text in enumerate(labels)}
    files |= {f"no{i}.png": noise(i) for i in range(60)}
    rows = [f"{i:04}.png,{text}," for i, text in enumerate(labels)]
    rows += [f"no{i}.png,,unreadable" for i in range(60)]
    return write_zip(
        path, files | {"labels.csv": "\n".join(["filename,text,state", *rows]).encode()}
    )


def test_images_with_nothing_to_read_are_learned_measured_and_published(tmp_path: Path) -> None:
    result = run(QUICK, context(tmp_path, a_set(tmp_path / "set.zip")), Recorder())

    metrics = result.metrics
    assert metrics.unreadable_images is not None
    assert metrics.unreadable_empty is not None
    assert 1 <= metrics.unreadable_images < metrics.test_images
    assert metrics.unreadable_empty >= 0.8 * metrics.unreadable_images
    store = ModelStore(tmp_path / "models")
    manifest, folder = store.manifest("quick", 1), store.folder("quick", 1)
    assert manifest.metrics == metrics
    assert manifest.label_lengths.keys() == {"1", "2"}
    assert manifest.proposed_pattern == "([AHX]{1,2})?"
    report = json.loads((folder / "report/metrics.json").read_text())
    assert report["unreadable_images"] == metrics.unreadable_images
    with (folder / "report/test_predictions.csv").open() as file:
        unreadable = [row for row in csv.DictReader(file) if not row["truth"]]
    assert len(unreadable) == metrics.unreadable_images
    assert sum(not row["text"] for row in unreadable) == metrics.unreadable_empty
    held_out = find_labels(FolderSource(folder / "report/held_out"), "manifest").labels
    assert list(held_out.values()).count("") == metrics.unreadable_images
