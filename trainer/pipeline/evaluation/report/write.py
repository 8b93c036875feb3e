"""Writes the report folder of a bundle; small, because every load of the bundle hashes it."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from shared.recognition.preprocessing import open_image
from shared.texts import csv_cell
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.evaluation.predictions import Evaluation, LabelledPrediction
from trainer.pipeline.evaluation.report.curves import draw_learning_curves, write_tensorboard
from trainer.pipeline.evaluation.report.inputs import draw_inputs
from trainer.pipeline.evaluation.report.mistakes import describe_mistakes
from trainer.pipeline.training.results import Trained

HELD_OUT_IMAGES = 100
WORST_IMAGES = 50
WORST_SIDE = 400
"""Pixels; images of worst predictions are scaled down to this on their longer side."""


def write_report(trained: Trained, evaluation: Evaluation, dataset: Dataset, folder: Path) -> None:
    """Write the report into a folder that does not exist yet."""
    folder.mkdir()
    _write_metrics(trained, evaluation, folder / "metrics.json")
    _write_predictions(evaluation.predictions, folder / "test_predictions.csv")
    _write_predictions(evaluation.suspects, folder / "suspects.csv", truth="label")
    _write_worst(evaluation.predictions, dataset, folder / "worst")
    draw_inputs(dataset, folder / "inputs.png")
    draw_learning_curves(trained.history, folder / "learning_curves.png")
    write_tensorboard(trained.history, folder / "tensorboard")
    _write_held_out(evaluation, dataset, folder / "held_out")


def _write_metrics(trained: Trained, evaluation: Evaluation, path: Path) -> None:
    predictions = evaluation.predictions
    metrics = evaluation.metrics.model_dump(mode="json") | {
        "seconds_to": trained.seconds_to,
        "history": [progress.model_dump() for progress in trained.history],
        "calibration": evaluation.calibration.model_dump(mode="json"),
        "allowed": evaluation.allowed and evaluation.allowed.model_dump(mode="json"),
        "detection": evaluation.detection and evaluation.detection.model_dump(mode="json"),
        **describe_mistakes((prediction.truth, prediction.text) for prediction in predictions),
        "wrong": [asdict(prediction) for prediction in _wrong(predictions)],
        "suspects": [asdict(prediction) for prediction in evaluation.suspects],
    }
    path.write_text(json.dumps(metrics, ensure_ascii=False, indent=2), encoding="utf-8")


def _wrong(predictions: Iterable[LabelledPrediction]) -> list[LabelledPrediction]:
    """Return the wrong predictions, the most confident first: no threshold rejects those."""
    wrong = (prediction for prediction in predictions if not prediction.correct)
    return sorted(wrong, key=lambda prediction: prediction.confidence, reverse=True)


def _write_predictions(
    predictions: Sequence[LabelledPrediction], path: Path, truth: str = "truth"
) -> None:
    """Write a row per prediction; truth: the heading of the labels."""
    rows = ((p.file, p.truth, p.text, p.confidence) for p in predictions)
    write_csv(path, ("file", truth, "text", "confidence"), rows)


def _write_worst(predictions: Sequence[LabelledPrediction], dataset: Dataset, folder: Path) -> None:
    """Write the images of the worst predictions, scaled down, and their texts."""
    folder.mkdir()
    worst = _wrong(predictions)[:WORST_IMAGES]
    names = [f"{number:02}.png" for number in range(1, len(worst) + 1)]
    for name, prediction in zip(names, worst, strict=True):
        image = open_image(dataset.source.read(prediction.file))
        image.thumbnail((WORST_SIDE, WORST_SIDE))
        image.save(folder / name)
    rows = (
        (name, p.file, p.truth, p.text, p.confidence) for name, p in zip(names, worst, strict=True)
    )
    write_csv(folder / "worst.csv", ("image", "file", "truth", "text", "confidence"), rows)


def _write_held_out(evaluation: Evaluation, dataset: Dataset, folder: Path) -> None:
    """Write up to HELD_OUT_IMAGES images of the test part as a labelled set."""
    predictions = evaluation.predictions[:HELD_OUT_IMAGES]
    files = [(each.file, dataset.source.read(each.file)) for each in predictions]
    names = write_images(files, folder)
    rows = (
        (name, prediction.truth, "readable" if prediction.truth else "unreadable")
        for name, prediction in zip(names, predictions, strict=True)
    )
    write_csv(folder / "labels.csv", ("filename", "text", "state"), rows)


def write_images(files: Sequence[tuple[str, bytes]], folder: Path) -> list[str]:
    """Write images, by name, into a new folder; return their new names."""
    folder.mkdir()
    names = []
    for index, (name, data) in enumerate(files, 1):
        names.append(f"{index:04}{Path(name).suffix.lower()}")
        # The original bytes: versions are compared on what the evaluation saw.
        (folder / names[-1]).write_bytes(data)
    return names


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table in which no text is a formula for spreadsheets."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows:
            writer.writerow([csv_cell(cell) if isinstance(cell, str) else cell for cell in row])
