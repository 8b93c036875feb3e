"""Compares a new version with the served one on the new test part, and decides promotion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.recognition.decoding import decode
from shared.recognition.scoring import wilson_interval
from shared.store.manifest import (
    ONNX_MODEL,
    SEEN_IMAGES,
    Comparison,
    Learned,
    Manifest,
    verify_files,
)
from shared.store.store import ModelStore
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.seen_images import unseen
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.evaluation.predictions import LabelledPrediction
from trainer.pipeline.networks.inference import (
    CHUNK,
    OnnxGraph,
    limit_for_graphs,
    load_pixels,
    predict,
)
from trainer.schemas.job_request import Promote
from trainer.schemas.progress import CancelledRunError, Observer
from trainer.subprocesses import in_clean_process


@dataclass
class Promotion:
    """Decides whether a new version is served: if it has learned, and is not clearly worse."""

    wanted: Promote
    learned: Learned | None
    compare: Callable[[int], Comparison | None]
    served: int | None = field(default=None, init=False)
    """The version that the new one was compared with."""
    comparison: Comparison | None = field(default=None, init=False)

    def measure(self, served: int | None) -> None:
        """Compare with the served version, unless that is done already."""
        if served != self.served:
            self.served = served
            self.comparison = None if served is None else self.compare(served)

    def decide(self, served: int | None) -> bool:
        """Return whether to promote; compares again if another version is served by now."""
        self.measure(served)
        if self.wanted == "auto":
            worse = self.comparison is not None and self.comparison.clearly_worse
            return self.learned is not None and self.learned.proven and not worse
        return self.wanted == "always"


def compare_with(
    served: int,
    predictions: Sequence[LabelledPrediction],
    dataset: Dataset,
    store: ModelStore,
    model: str,
    observer: Observer,
) -> Comparison | None:
    """Compare the new version's predictions of the test part with those of a published version.

    Images that the published one was trained on are left out. None, with a warning, if no image
    remains, or if it cannot be loaded. Raises CancelledRunError if the job is cancelled.
    """
    try:
        texts = _predict_unseen(
            store.folder(model, served), store.manifest(model, served), dataset, observer
        )
    except CancelledRunError:
        raise
    except Exception as error:  # a broken old version must not block the new one
        why = f"it cannot predict: {type(error).__name__}: {error}"
    else:
        if texts:
            return compared(served, predictions, texts)
        why = f"it was trained on all {len(predictions)} images that are measured"
    message = f"No comparison with the served version {served}: {why}"
    observer.event("warning", message, {"served": served})
    return None


def _predict_unseen(
    folder: Path, manifest: Manifest, dataset: Dataset, observer: Observer
) -> dict[str, str]:
    """Return a bundle's texts for the measured images that it was not trained on, by name."""
    needed = {ONNX_MODEL, SEEN_IMAGES} & set(manifest.files)
    verify_files(folder, {name: manifest.files[name] for name in needed})
    images = unseen(dataset.measured, folder)
    observer.checkpoint()
    return in_clean_process(_predict_all, folder, manifest, dataset.source, images)


def _predict_all(
    folder: Path, manifest: Manifest, source: ImageSource, images: Sequence[LabelledImage]
) -> dict[str, str]:
    """Return a bundle's texts for images, by name. For a clean process."""
    limit_for_graphs(len(images))
    graph, vocabulary = OnnxGraph(folder / ONNX_MODEL), manifest.model_vocabulary()
    texts: dict[str, str] = {}
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        output = predict(graph, load_pixels(source, chunk, manifest.image), manifest.image)
        for image, prediction in zip(chunk, decode(output, vocabulary), strict=True):
            texts[image.name] = prediction.text
    return texts


def compared(
    served: int, predictions: Sequence[LabelledPrediction], texts: Mapping[str, str]
) -> Comparison:
    """Count over the images that both predicted; texts: the served version's, by name."""
    both = [(p.correct, texts[p.file] == p.truth) for p in predictions if p.file in texts]
    correct, served_correct = (sum(column) for column in zip(*both, strict=True))
    images = len(both)
    return Comparison(
        version=served,
        images=images,
        exact_match=correct / images,
        exact_match_interval=wilson_interval(correct, images),
        served_exact_match=served_correct / images,
        served_exact_match_interval=wilson_interval(served_correct, images),
        gained=both.count((True, False)),
        lost=both.count((False, True)),
    )


def report_outcome(published: Manifest, promoted: bool, observer: Observer) -> None:
    """Report whether a published version is served, and how it compares."""
    state = "served now" if promoted else "published, but not served"
    message = f"Version {published.version} is {state}."
    comparison = published.comparison
    if comparison:
        message += (
            f" On {comparison.images} test images it predicts"
            f" {_share(comparison.exact_match, comparison.exact_match_interval)} correctly, version"
            f" {comparison.version}"
            f" {_share(comparison.served_exact_match, comparison.served_exact_match_interval)};"
            f" {comparison.gained} only the new one, {comparison.lost} only the old one."
        )
    if not promoted and not (published.learned and published.learned.proven):
        message += f" {_why_unproven(published)}"
    data = {
        "version": published.version,
        "promoted": promoted,
        "comparison": comparison and comparison.model_dump(mode="json"),
    }
    observer.event("promotion", message, data)


def _why_unproven(published: Manifest) -> str:
    """Return why a version was not shown to have learned, and how to serve it all the same."""
    learned = published.learned
    serve = f"Serve it all the same: readsmith models promote {published.model} {published.version}"
    if learned is None:
        return f"The images held back are too few to tell whether it has learned. {serve}."
    return (
        f"It was not shown to have learned: on {learned.images} images that it was not trained on, "
        f"its character error rate is {learned.cer:.0%}; answering {learned.constant!r} every time "
        f"has {learned.constant_cer:.0%}, its own answers exchanged among the images have "
        f"{learned.shuffled_cer:.0%}. {serve}."
    )


def _share(share: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{share:.1%} (95 % interval {low:.1%} to {high:.1%})"
