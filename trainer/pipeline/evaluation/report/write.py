"""Writes the report folder of a bundle. Every load of the bundle hashes it: it stays small."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from shared.recognition.preprocessing import open_image
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.evaluation.predictions import Evaluation, ImageReading
from trainer.pipeline.evaluation.report.curves import draw_learning_curves, write_tensorboard
from trainer.pipeline.evaluation.report.mistakes import describe_mistakes
from trainer.pipeline.training.results import Trained

HELD_OUT_IMAGES = 100
WORST_IMAGES = 50
WORST_SIDE = 400
"""Pictures of worst readings are shrunk to this many pixels on their longer side."""


def write_report(trained: Trained, evaluation: Evaluation, dataset: Dataset, folder: Path) -> None:
    """Write everything below report/ into a folder that does not exist yet."""
    folder.mkdir()
    _write_metrics(trained, evaluation, folder / "metrics.json")
    _write_readings(evaluation.readings, folder / "test_readings.csv")
    _write_suspects(evaluation.suspects, folder / "suspects.csv")
    _write_worst(evaluation.readings, dataset, folder / "worst")
    draw_learning_curves(trained.history, folder / "learning_curves.png")
    write_tensorboard(trained.history, folder / "tensorboard")
    _write_held_out(evaluation, dataset, folder / "held_out")


def _write_metrics(trained: Trained, evaluation: Evaluation, path: Path) -> None:
    readings = evaluation.readings
    metrics = evaluation.metrics.model_dump(mode="json") | {
        "seconds_to": trained.seconds_to,
        "history": [progress.model_dump() for progress in trained.history],
        "calibration": evaluation.calibration.model_dump(mode="json"),
        **describe_mistakes((reading.truth, reading.text) for reading in readings),
        "wrong": [asdict(reading) for reading in _wrong(readings)],
        "suspects": [asdict(reading) for reading in evaluation.suspects],
    }
    path.write_text(json.dumps(metrics, ensure_ascii=False, indent=2), encoding="utf-8")


def _wrong(readings: Iterable[ImageReading]) -> list[ImageReading]:
    """Return the wrong readings, the surest first: no threshold keeps those out."""
    wrong = (reading for reading in readings if not reading.right)
    return sorted(wrong, key=lambda reading: reading.confidence, reverse=True)


def _write_readings(readings: Sequence[ImageReading], path: Path) -> None:
    rows = ((r.file, r.truth, r.text, r.confidence) for r in readings)
    _write_csv(path, ("file", "truth", "text", "confidence"), rows)


def _write_suspects(suspects: Sequence[ImageReading], path: Path) -> None:
    rows = ((r.file, r.truth, r.text, r.confidence) for r in suspects)
    _write_csv(path, ("file", "label", "text", "confidence"), rows)


def _write_worst(readings: Sequence[ImageReading], dataset: Dataset, folder: Path) -> None:
    """Keep pictures of wrong readings, shrunk, and what was read in them."""
    folder.mkdir()
    worst = _wrong(readings)[:WORST_IMAGES]
    names = [f"{number:02}.png" for number in range(1, len(worst) + 1)]
    for name, reading in zip(names, worst, strict=True):
        picture = open_image(dataset.source.read(reading.file))
        picture.thumbnail((WORST_SIDE, WORST_SIDE))
        picture.save(folder / name)
    rows = (
        (name, r.file, r.truth, r.text, r.confidence) for name, r in zip(names, worst, strict=True)
    )
    _write_csv(folder / "worst.csv", ("picture", "file", "truth", "text", "confidence"), rows)


def _write_held_out(evaluation: Evaluation, dataset: Dataset, folder: Path) -> None:
    """Keep up to 100 pictures of the test part as a labelled set of their own."""
    folder.mkdir()
    rows = []
    for index, reading in enumerate(evaluation.readings[:HELD_OUT_IMAGES], 1):
        name = f"{index:04}{Path(reading.file).suffix.lower()}"
        (folder / name).write_bytes(dataset.source.read(reading.file))
        rows.append((name, reading.truth))
    _write_csv(folder / "labels.csv", ("filename", "text"), rows)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
