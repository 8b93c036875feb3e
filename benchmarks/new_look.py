"""How well a model still predicts images of an old look after 100 images of a new one.

    python -m benchmarks.new_look [--quick] [--json FILE]

Old: Captcha Images V2 (READSMITH_TEST_DATA). New: the same characters drawn by the captcha
library. Version 1 learns the old look; the others start from it, with the new images alone and
with both. Each then predicts images of both looks that no training has seen.
"""

import argparse
import csv
import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from predictor.models.engine import Engine
from shared.recognition.scoring import Score
from shared.store.store import ModelStore
from trainer.files.shared_files import FolderFiles
from trainer.pipeline.context import Inputs, RunContext
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.sources.source import open_source
from trainer.pipeline.downloads.synthetic import draw_dataset
from trainer.pipeline.run import run
from trainer.schemas.job_request import JobRequest, Synthetic
from trainer.schemas.progress import Observer

NEW, NEW_TEST = 100, 200
SET = "captcha_images_v2.zip"

Images = list[tuple[str, bytes]]
"""Labels and encoded images."""


def main() -> None:
    """Train three versions and print their accuracy on both looks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two epochs, to test that it runs")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    data = Path(os.environ.get("READSMITH_TEST_DATA", "."))
    if not (data / SET).is_file():
        sys.exit(f"error: there is no {data / SET}; set READSMITH_TEST_DATA to its folder.")
    found = []
    print(f"{'version':34} {'old look':>12} {'new look':>12} {'seconds':>8}")
    with tempfile.TemporaryDirectory(prefix="readsmith-") as folder:
        for row in measure(data / SET, Path(folder), options.quick):
            found.append(row)
            print(f"{row['version']:34} {row['old']:>12} {row['new']:>12} {row['seconds']:>8}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


def measure(path: Path, folder: Path, quick: bool) -> Iterator[dict[str, str]]:
    """Train the versions in turn; yield the accuracy of each."""
    old = load_dataset(path, JobRequest())
    old_train = [(i.label, old.source.read(i.name)) for i in (*old.train, *old.validation)]
    old_test = [(image.label, old.source.read(image.name)) for image in old.test]
    new = draw(folder / "new.zip", "".join(old.vocabulary.characters))
    store = ModelStore(folder / "store")
    for name, images, base in (
        ("1: the old look", old_train, "starter"),
        (f"2: from 1, {NEW} new images alone", new[:NEW], 1),
        (f"3: from 1, {NEW} new and the old", [*old_train, *new[:NEW]], 1),
    ):
        request = JobRequest.model_validate(
            {
                "base": base,
                "promote": "never",
                "hyperparameters": {"epochs": 2 if quick else "auto"},
            }
        )
        seconds = train(write(folder / "set.zip", images), request, folder, store)
        version = store.versions(request.model)[-1]
        bundle = store.folder(request.model, version)
        engine = Engine.load(bundle, store.manifest(request.model, version))
        yield {
            "version": name,
            "old": accuracy(engine, old_test),
            "new": accuracy(engine, new[NEW:]),
            "seconds": f"{seconds:.0f}",
        }


def draw(target: Path, characters: str) -> Images:
    """Draw images of the new look."""
    length = 5
    draw_dataset(
        Synthetic(
            images=NEW + NEW_TEST,
            width=160,
            height=60,
            min_length=length,
            max_length=length,
            characters=characters,
            seed=5,
        ),
        target,
    )
    source = open_source(target)
    rows = csv.DictReader(io.StringIO(source.read("labels.csv").decode()))
    return [(row["text"], source.read(row["filename"])) for row in rows]


def write(target: Path, images: Images) -> Path:
    """Write a zip with a labels.csv."""
    with zipfile.ZipFile(target, "w") as archive:
        rows = "".join(f"{number}.png,{text}\n" for number, (text, _) in enumerate(images))
        archive.writestr("labels.csv", "filename,text\n" + rows)
        for number, (_, data) in enumerate(images):
            archive.writestr(f"{number}.png", data)
    return target


def train(dataset: Path, request: JobRequest, folder: Path, store: ModelStore) -> float:
    """Publish a version and return its training seconds."""
    job = f"job-{len(store.versions(request.model))}"
    inputs = Inputs(folder / job, folder, FolderFiles(folder), store, local=dataset)
    context = RunContext(job, 1, inputs, may_publish=lambda: None)
    return run(request, context, Observer()).metrics.train_seconds


def accuracy(engine: Engine, images: Sequence[tuple[str, bytes]]) -> str:
    """Return correct predictions and images, as 95/100."""
    predictions = engine.predict([data for _, data in images])
    truths = (truth for truth, _ in images)
    score = Score.of(
        (t, prediction.text) for t, prediction in zip(truths, predictions, strict=True)
    )
    return f"{score.exact}/{score.images}"


if __name__ == "__main__":
    main()
