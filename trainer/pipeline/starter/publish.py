"""Publishes a trained starter into the package. Imports TensorFlow."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from shared.recognition.decoding import decode
from shared.recognition.scoring import Score, wilson_interval
from shared.store.builtin import STARTERS, builtin_store
from shared.store.manifest import (
    GOLDEN_PREDICTIONS,
    KERAS_MODEL,
    FileEntry,
    GoldenPrediction,
    Manifest,
    Metrics,
    Scalar,
)
from trainer.pipeline.datasets.inputs.image_spec import time_steps
from trainer.pipeline.networks.keras_files import write_models
from trainer.pipeline.publishing.export import GOLDEN_IMAGES, library_versions
from trainer.pipeline.starter.batches import SIZE
from trainer.pipeline.starter.checkpoint import Course
from trainer.pipeline.starter.drawing import Drawn
from trainer.pipeline.starter.drawing.fonts.fonts import CSV
from trainer.pipeline.starter.evaluate import Figure, Starter
from trainer.schemas.job_request import PresetName

ROUNDED = np.float16
"""Of kernels in the h5, half as large; statistics and biases have a wider range."""


@dataclass(frozen=True)
class Reached:
    """What a trained starter reaches: on drawn lines, and on real sets without training."""

    lines: Sequence[Drawn]
    texts: Sequence[str]
    confidences: Sequence[float]
    real: Sequence[Figure]

    @property
    def drawn(self) -> float:
        """The exact match on the drawn lines."""
        return self.score.exact_match

    @property
    def score(self) -> Score:
        """The counts of the drawn lines."""
        return Score.of(zip((line.text for line in self.lines), self.texts, strict=True))

    @classmethod
    def of(cls, starter: Starter, lines: Sequence[Drawn], real: Sequence[Figure]) -> "Reached":
        """Predict the drawn lines."""
        output = starter.probabilities([line.image for line in lines])
        found = decode(output, starter.vocabulary)
        return cls(lines, [one.text for one in found], [one.confidence for one in found], real)


def write_files(model: Any, build: Path) -> None:
    """Write a network's h5, its kernels in half precision, and its ONNX, rounded likewise."""
    model.set_weights(
        [
            array.astype(ROUNDED).astype(np.float32) if array.ndim > 1 else array
            for array in model.get_weights()
        ]
    )
    write_models(model, build)
    _halve(build / KERAS_MODEL)


def publish(
    preset: PresetName, build: Path, starter: Starter, reached: Reached, course: Course
) -> None:
    """Replace the preset's starter in the package by the files in a folder."""
    write_golden_lines(reached, build)
    name, store = STARTERS[preset], builtin_store()
    shutil.rmtree(store.root / name, ignore_errors=True)
    job_id = f"make-starter-{datetime.now(UTC):%Y%m%d%H%M%S}"

    def manifest(version: int, files: dict[str, FileEntry]) -> Manifest:
        return Manifest(
            model=name,
            version=version,
            job_id=job_id,
            attempt=1,
            created_at=datetime.now(UTC),
            origin="trained",
            preset=preset,
            base=None,
            dataset=f"{course.steps * SIZE:,} drawn lines",
            vocabulary=starter.vocabulary.characters,
            blank_index=starter.vocabulary.blank_index,
            image=starter.spec,
            time_steps=time_steps(starter.spec),
            label_lengths={},
            metrics=_metrics(reached, course),
            seed=course.seed,
            parameters=_provenance(reached, course),
            libraries=library_versions(),
            files=files,
        )

    store.publish(build, manifest, model=name, job_id=job_id)


def _halve(path: Path) -> None:
    """Store the kernels of an h5 in half precision; Keras converts them when it loads them."""
    with h5py.File(path, "r+") as file:
        found: list[str] = []
        file["model_weights"].visit(found.append)
        for name in found:
            item = file["model_weights"][name]
            if isinstance(item, h5py.Dataset) and item.ndim > 1:
                values = item[...].astype(ROUNDED)
                del file["model_weights"][name]
                file["model_weights"].create_dataset(name, data=values)
    compact = path.with_suffix(".compact")
    # What was deleted still takes its room until everything is copied.
    with h5py.File(path) as old, h5py.File(compact, "w") as new:
        for key, value in old.attrs.items():
            new.attrs[key] = value
        for name in old:
            old.copy(name, new)
    compact.replace(path)


def write_golden_lines(reached: Reached, build: Path) -> None:
    """Write the surest drawn lines that are predicted correctly, as golden images.

    Another processor rounds differently: where two characters are equally likely it would predict
    another text, and the bundle would be rejected there.
    """
    (build / "golden").mkdir()
    predicted = zip(reached.lines, reached.texts, reached.confidences, strict=True)
    correct = [each for each in predicted if each[0].text == each[1] != ""]
    correct.sort(key=lambda each: -each[2])
    golden = []
    for number, (line, text, confidence) in enumerate(correct[:GOLDEN_IMAGES], 1):
        name = f"golden/{number:04}.png"
        line.image.save(build / name)
        golden.append(
            GoldenPrediction(file=name, truth=line.text, text=text, confidence=confidence)
        )
    described = [each.model_dump() for each in golden]
    (build / GOLDEN_PREDICTIONS).write_text(json.dumps(described, ensure_ascii=False, indent=2))


def _metrics(reached: Reached, course: Course) -> Metrics:
    score = reached.score
    return Metrics(
        train_images=course.steps * SIZE,
        validation_images=0,
        test_images=score.images,
        exact_match=score.exact_match,
        exact_match_interval=wilson_interval(score.exact, score.images),
        cer=score.cer,
        mean_confidence=float(np.mean(reached.confidences)),
        validation_exact_match=0.0,
        train_seconds=round(course.seconds, 1),
        images_per_second=round(course.steps * SIZE / max(1.0, course.seconds), 1),
        epochs=1,
    )


def _provenance(reached: Reached, course: Course) -> dict[str, Scalar]:
    """Return what the starter was made from, and what it reaches on real sets."""
    figures: dict[str, Scalar] = {}
    for one in reached.real:
        figures[f"{one.file}, {one.measure}, free"] = round(one.free, 4)
        figures[f"{one.file}, {one.measure}, alphabet given"] = round(one.alphabet, 4)
    return {
        "commit": _commit(),
        "fonts": _sha256(CSV),
        "steps": course.steps,
        "batch": SIZE,
        "starts": course.starts,
        **figures,
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _commit() -> str:
    """Return the commit of this checkout, if it is one."""
    git = ("git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD")
    found = subprocess.run(git, capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() or "unknown"
