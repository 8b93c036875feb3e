"""Makes the starter: `python -m trainer.pipeline.starter` (or `make starter`).

Draws texts in the fonts of installed packages, trains the conv preset on them as a job would, and
publishes the result into the package. Imports TensorFlow.
"""

import argparse
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared.api.jobs import Progress
from shared.recognition.vocabulary import Vocabulary
from shared.store.builtin import STARTER, builtin_store
from shared.store.manifest import FileEntry, Manifest
from trainer.pipeline.datasets.inputs.image_spec import STARTER_HEIGHT
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.evaluation.evaluate import evaluate
from trainer.pipeline.networks.keras_files import write_models
from trainer.pipeline.publishing.export import Origin, clear_folder, make_manifest, write_golden
from trainer.pipeline.starter.drawing import CHARACTERS
from trainer.pipeline.starter.drawn_set import draw_set
from trainer.pipeline.training.train import train
from trainer.schemas.job_request import Hyperparameters, JobRequest
from trainer.schemas.progress import Observer


class _Printer(Observer):
    """Prints what a run tells."""

    def progress(self, progress: Progress) -> None:
        """Print the results of an epoch."""
        print(  # noqa: T201 - a command
            f"epoch {progress.epoch}/{progress.epochs} loss {progress.loss:.3f} "
            f"exact match {progress.exact_match:.3f} {progress.seconds:.0f} s",
            flush=True,
        )

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        """Print the message."""
        print(message, flush=True)  # noqa: T201


def make_starter(images: int, hyperparameters: Hyperparameters, work: Path) -> None:
    """Draw the images, train on four fifths of them and publish."""
    request = JobRequest(labels="manifest", base="none", hyperparameters=hyperparameters)
    observer = _Printer()
    draw_set(images, work / "drawn.zip")
    dataset = replace(load_dataset(work / "drawn.zip", request), vocabulary=Vocabulary(CHARACTERS))
    trained = train(dataset, request, observer, work)
    evaluation = evaluate(trained, dataset, observer)
    # No report, seen images or rehearsal: they are about the drawings, not the user's images.
    build = clear_folder(work / "bundle")
    write_models(trained.model, build)
    write_golden(evaluation, dataset, build)
    job_id = f"make-starter-{time.time_ns()}"
    origin = Origin(job_id, 1, f"{images:,} texts drawn in the fonts of Debian's packages")
    named = request.model_copy(update={"model": STARTER})
    described = make_manifest(trained, evaluation, dataset, named, origin)

    def manifest(version: int, files: dict[str, FileEntry]) -> Manifest:
        of_drawings = dict.fromkeys(("image_sizes", "proposed_pattern", "calibration"))
        return described(version, files).model_copy(update=of_drawings)

    shutil.rmtree(builtin_store().root / STARTER, ignore_errors=True)
    builtin_store().publish(build, manifest, model=STARTER, job_id=job_id)


def main() -> None:
    """Draw, train, publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    arguments = parser.parse_args()
    hyperparameters = Hyperparameters(
        epochs=arguments.epochs,
        batch_size=arguments.batch,
        learning_rate=arguments.learning_rate,
        augmentation=0.5,
        height=STARTER_HEIGHT,
        width=192,
        resize="pad",
        channels=1,
        standardize=True,
    )
    with tempfile.TemporaryDirectory() as work:
        make_starter(arguments.images, hyperparameters, Path(work))


if __name__ == "__main__":
    main()
