"""Stage 5: build the bundle, and verify its files on the test part before it is published."""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from itertools import chain
from pathlib import Path

from shared.errors import FailedError
from shared.store.manifest import (
    DETECTOR,
    DETECTOR_KERAS,
    DETECTOR_ONNX,
    GOLDEN_PREDICTIONS,
    REPORT,
    FileEntry,
    GoldenPrediction,
    Manifest,
)
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.seen_images import write_seen_images
from trainer.pipeline.evaluation.predictions import Evaluation
from trainer.pipeline.evaluation.promotion import Promotion
from trainer.pipeline.evaluation.report.write import write_images, write_report
from trainer.pipeline.networks.keras_files import predict_with_files, write_models
from trainer.pipeline.publishing.pattern import propose_pattern
from trainer.pipeline.training.rehearsal import write_rehearsal
from trainer.pipeline.training.results import Trained
from trainer.schemas.job_request import JobRequest
from trainer.subprocesses import in_clean_process

GOLDEN_IMAGES = 8
LIBRARIES = ("keras", "tensorflow-cpu", "tensorflow", "numpy", "pillow", "onnxruntime", "tf2onnx")


@dataclass(frozen=True)
class Origin:
    """The job and attempt that make the bundle, and the name of their dataset."""

    job_id: str
    attempt: int
    dataset: str


def build_bundle(trained: Trained, evaluation: Evaluation, dataset: Dataset, build: Path) -> None:
    """Write everything but the manifest into an empty folder."""
    write_models(trained.model, build)
    if dataset.detector is not None:
        for name in (DETECTOR_KERAS, DETECTOR_ONNX):
            shutil.copy(dataset.detector.folder / name, build / name)
    write_golden(evaluation, dataset, build)
    unlabelled = dataset.unlabelled if trained.unlabelled_images else ImageTable()
    write_seen_images([dataset.train + dataset.validation, unlabelled], dataset.seen, build)
    write_rehearsal(dataset, trained.parameters.seed, build)
    write_report(trained, evaluation, dataset, build / REPORT)


def require_same_predictions(build: Path, dataset: Dataset, evaluation: Evaluation) -> None:
    """Predict the measured images with both files in a clean process.

    Raises ReadsmithError (predictions_differ) if any text differs from the evaluation's.
    """
    again = in_clean_process(
        predict_with_files,
        build,
        dataset.source,
        tuple(dataset.measured),
        dataset.image,
        dataset.vocabulary,
    )
    for name, predictions in again.items():
        for measured, prediction in zip(evaluation.published, predictions, strict=True):
            if measured.text != prediction.text:
                raise FailedError(
                    "predictions_differ",
                    f"{name} predicts {prediction.text!r} for {measured.file}; "
                    f"the evaluation had {measured.text!r}. Nothing was published.",
                    "Start the job again; if it fails again, report it as a bug.",
                )


def make_manifest(
    trained: Trained,
    evaluation: Evaluation,
    dataset: Dataset,
    request: JobRequest,
    origin: Origin,
    promotion: Promotion | None = None,
) -> Callable[[int, dict[str, FileEntry]], Manifest]:
    """Return the function that writes the manifest once version and files are known."""

    def manifest(version: int, files: dict[str, FileEntry]) -> Manifest:
        lengths = Counter(len(label) for label in dataset.labels if label)
        unseen = set(dataset.vocabulary.characters).difference(chain.from_iterable(dataset.labels))
        return Manifest(
            requires=(DETECTOR,) if dataset.detector else (),
            model=request.model,
            version=version,
            job_id=origin.job_id,
            attempt=origin.attempt,
            created_at=datetime.now(UTC),
            origin="trained",
            preset=request.preset,
            base=trained.base,
            dataset=origin.dataset,
            vocabulary=dataset.vocabulary.characters,
            unseen_characters="".join(sorted(unseen)),
            blank_index=dataset.vocabulary.blank_index,
            image=dataset.image,
            time_steps=trained.time_steps,
            label_lengths={str(length): count for length, count in sorted(lengths.items())},
            image_sizes=dataset.sizes,
            detector=dataset.detector.spec if dataset.detector else None,
            proposed_pattern=propose_pattern(dataset.labels),
            metrics=evaluation.metrics,
            calibration=evaluation.calibration,
            detection=evaluation.detection,
            allowed=evaluation.allowed,
            learned=evaluation.learned,
            comparison=promotion.comparison if promotion else None,
            seed=request.seed,
            parameters=asdict(trained.parameters),
            libraries=library_versions(),
            files=files,
        )

    return manifest


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that shape a model."""
    versions = {"python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            versions[name] = library_version(name)
        except ModuleNotFoundError:
            continue  # TensorFlow is installed under one of two names
    return versions


def write_golden(evaluation: Evaluation, dataset: Dataset, build: Path) -> None:
    """Write a few of the measured images with the published model's predictions."""
    predictions = evaluation.published[:GOLDEN_IMAGES]
    # The predictor repeats these predictions before it serves the version.
    files = [dataset.served_file(prediction.file) for prediction in predictions]
    names = write_images(files, build / "golden")
    golden = [
        GoldenPrediction(**asdict(prediction) | {"file": f"golden/{name}"}).model_dump()
        for name, prediction in zip(names, predictions, strict=True)
    ]
    (build / GOLDEN_PREDICTIONS).write_text(json.dumps(golden, ensure_ascii=False, indent=2))


def clear_folder(folder: Path) -> Path:
    """Empty and return the folder: an earlier attempt may have left files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
