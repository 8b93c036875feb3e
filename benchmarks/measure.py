"""Trains once and prints the result as one JSON line; a new process for every measurement.

python -m benchmarks.measure '{"side": "ours", "set": "V2", "dataset": "v2.zip", "seed": 0}'
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measurement import Measurement, Run, allowed_wrong
from benchmarks.reference import train_reference, without_standardization
from shared.api.jobs import Progress
from shared.errors import ReadsmithError
from shared.recognition.decoding import decode
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.networks.inference import load_pixels, predict
from trainer.pipeline.search.race import train_best
from trainer.schemas.progress import Observer


class _Observer(Observer):
    """Records a run's epochs and events."""

    def __init__(self) -> None:
        self.epochs: list[Progress] = []
        self.events: list[str] = []

    def progress(self, progress: Progress) -> None:
        self.epochs.append(progress)

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        self.events.append(f"{kind}: {message}")


def measure(measurement: Measurement) -> Run:
    """Train, then predict the test part. A run that does not learn is a result, not an error."""
    request, observer = measurement.request(), _Observer()
    model, failure = None, None
    began = time.monotonic()
    dataset = load_dataset(measurement.dataset, request)
    if measurement.side == "reference":
        dataset = without_standardization(dataset)
    checked = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="readsmith-") as work:
        try:
            if measurement.side == "reference":
                model = train_reference(dataset, request, observer, Path(work))
            else:
                model = train_best(dataset, request, observer, Path(work))[1].model
        except ReadsmithError as error:
            failure = f"{error.code}: {error.message}"
        fitted = time.monotonic()
    return Run(
        measurement=measurement,
        train_images=len(dataset.train),
        validation_images=len(dataset.validation),
        test_images=len(dataset.test),
        epochs=observer.epochs[-1].epoch if observer.epochs else 0,
        check_seconds=checked - began,
        fit_seconds=fitted - checked,
        train_seconds=observer.epochs[-1].seconds if observer.epochs else fitted - checked,
        seconds_to_99=seconds_to_99(observer.epochs, len(dataset.validation)),
        validation_exact_match=max((epoch.exact_match for epoch in observer.epochs), default=0),
        exact=0 if model is None else count_exact(model, dataset),
        peak_bytes=_peak_bytes(),
        events=observer.events,
        failure=failure,
    )


def count_exact(model: Any, dataset: Dataset) -> int:
    """Return how many images of the test part a model predicts correctly."""
    pixels = load_pixels(dataset.source, dataset.test, dataset.image)
    predictions = decode(predict(model, pixels, dataset.image), dataset.vocabulary)
    pairs = zip(dataset.test, predictions, strict=True)
    return sum(image.label == prediction.text for image, prediction in pairs)


def seconds_to_99(epochs: Sequence[Progress], validation_images: int) -> float | None:
    """Return the seconds until 99 % of the validation part were correct, None if never."""
    enough = validation_images - allowed_wrong(validation_images)
    for epoch in epochs:
        if round(epoch.exact_match * validation_images) >= enough:
            return epoch.seconds
    return None


def _peak_bytes() -> int:
    """Return the process's largest resident size."""
    # Not getrusage: its maximum survives exec, so it can be the parent's.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # libraries print; stdout is for the result
        run = measure(Measurement.model_validate_json(sys.argv[1]))
    print(run.model_dump_json())
