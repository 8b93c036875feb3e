"""Compares a new version with the served one on the new test part, and decides on its promotion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.recognition.decoding import decode
from shared.recognition.scoring import wilson_interval
from shared.store.manifest import ONNX_MODEL, SEEN_IMAGES, Comparison, Manifest, verify_files
from shared.store.store import ModelStore
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.seen_images import unseen
from trainer.pipeline.evaluation.predictions import LabelledPrediction
from trainer.pipeline.networks.inference import OnnxGraph, outputs
from trainer.schemas.job_request import Promote
from trainer.schemas.progress import CancelledRunError, Observer


@dataclass
class Promotion:
    """Whether a new version is to be served, and the comparison that decides on it."""

    wanted: Promote
    compare: Callable[[int], Comparison | None]
    served: int | None = field(default=None, init=False)
    """What the new version has been compared with."""
    comparison: Comparison | None = field(default=None, init=False)

    def measure(self, served: int | None) -> None:
        """Compare with the served version, unless that has been done."""
        if served != self.served:
            self.served = served
            self.comparison = None if served is None else self.compare(served)

    def decide(self, served: int | None) -> bool:
        """Say whether to promote, given what is served now; that may have changed meanwhile."""
        self.measure(served)
        if self.wanted == "auto":
            return self.comparison is None or not self.comparison.clearly_worse
        return self.wanted == "always"


def compare_with(
    served: int,
    predictions: Sequence[LabelledPrediction],
    dataset: Dataset,
    store: ModelStore,
    model: str,
    observer: Observer,
) -> Comparison | None:
    """Set the new version's predictions of the test part against those of a published version.

    Images that the published one was trained on are left out. None, with a warning, if that
    leaves none, or if it cannot be loaded. Raises CancelledRunError when told to stop.
    """
    try:
        texts = _read(store.folder(model, served), store.manifest(model, served), dataset, observer)
    except CancelledRunError:
        raise
    except Exception as error:  # whatever is wrong with the old one, it must not stop the new one
        why = f"it cannot be read with: {type(error).__name__}: {error}"
    else:
        if texts:
            return compared(served, predictions, texts)
        why = f"it was trained on all {len(predictions)} images of the test part"
    message = f"No comparison with version {served}, which is served: {why}"
    observer.event("warning", message, {"served": served})
    return None


def _read(folder: Path, manifest: Manifest, dataset: Dataset, observer: Observer) -> dict[str, str]:
    """Return what a bundle reads in each image of the test part that it was not trained on."""
    needed = {ONNX_MODEL, SEEN_IMAGES} & set(manifest.files)
    verify_files(folder, {name: manifest.files[name] for name in needed})
    images = unseen(dataset.test, folder)
    graph, vocabulary = OnnxGraph(folder / ONNX_MODEL), manifest.reader_vocabulary()
    texts: dict[str, str] = {}
    for chunk, output in outputs(graph, dataset.source, images, manifest.image, observer):
        for image, prediction in zip(chunk, decode(output, vocabulary), strict=True):
            texts[image.name] = prediction.text
    return texts


def compared(
    served: int, predictions: Sequence[LabelledPrediction], texts: Mapping[str, str]
) -> Comparison:
    """Count over the images that both have read; texts: what the served version read in each."""
    both = [(r.correct, texts[r.file] == r.truth) for r in predictions if r.file in texts]
    right, served_right = (sum(column) for column in zip(*both, strict=True))
    images = len(both)
    return Comparison(
        version=served,
        images=images,
        exact_match=right / images,
        exact_match_interval=wilson_interval(right, images),
        served_exact_match=served_right / images,
        served_exact_match_interval=wilson_interval(served_right, images),
        gained=both.count((True, False)),
        lost=both.count((False, True)),
    )


def report_outcome(published: Manifest, promoted: bool, observer: Observer) -> None:
    """Tell whether a published version is served, and how it compares."""
    state = "served now" if promoted else "published, but not served"
    message = f"Version {published.version} is {state}."
    comparison = published.comparison
    if comparison:
        message += (
            f" On {comparison.images} test images it reads"
            f" {_share(comparison.exact_match, comparison.exact_match_interval)} right, version"
            f" {comparison.version}"
            f" {_share(comparison.served_exact_match, comparison.served_exact_match_interval)};"
            f" {comparison.gained} only the new one, {comparison.lost} only the old one."
        )
    data = {
        "version": published.version,
        "promoted": promoted,
        "comparison": comparison and comparison.model_dump(mode="json"),
    }
    observer.event("promotion", message, data)


def _share(share: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{share:.1%} (95 % interval {low:.1%} to {high:.1%})"
