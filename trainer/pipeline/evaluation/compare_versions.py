"""Compares the predictions of two versions, image by image."""

from pathlib import Path

from shared.api.models import ComparedImage, VersionComparison, VersionPrediction
from shared.errors import BundleError, ConflictError, ProcessDiedError
from shared.recognition.decoding import decode
from shared.recognition.preprocessing import open_image
from shared.store.manifest import ONNX_MODEL, REPORT, Manifest, verify_files
from shared.store.store import ModelStore
from trainer.pipeline.datasets.clean import content_hash
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.seen_images import is_among, read_seen_images
from trainer.pipeline.datasets.sources.source import FolderSource
from trainer.subprocesses import in_clean_process

HELD_OUT = f"{REPORT}/held_out"


def compare_versions(store: ModelStore, model: str, a: int, b: int) -> VersionComparison:
    """Predict the held-out images of both versions with both, in a separate process.

    Raises ReadsmithError (bundle_invalid, no_held_out_images).
    """
    try:
        return in_clean_process(_compare, store, model, a, b)
    except ProcessDiedError as error:
        raise BundleError(
            f"Version {a} or {b} of {model} cannot predict: its graph takes too much time or "
            "memory, or crashes.",
            "graph",
        ) from error


def _compare(store: ModelStore, model: str, a: int, b: int) -> VersionComparison:
    manifests = {version: store.manifest(model, version) for version in (a, b)}
    images = _held_out(store, model, manifests)
    if not images:
        raise ConflictError(
            "no_held_out_images",
            f"Neither version {a} nor version {b} of {model} holds images to compare on.",
            "Compare versions that were trained: imported ones hold no images.",
        )
    predictions = {v: _predict_all(store.folder(model, v), manifests[v], images) for v in (a, b)}
    compared = [
        ComparedImage(
            image=f"/models/{model}/versions/{version}/files/{HELD_OUT}/{image.name}",
            truth=image.label,
            a=predictions[a][index],
            b=predictions[b][index],
        )
        for index, (version, _, image) in enumerate(images)
    ]
    correct = [(one.a.correct, one.b.correct) for one in compared]
    return VersionComparison(
        model=model,
        a=a,
        b=b,
        both_correct=correct.count((True, True)),
        only_a_correct=correct.count((True, False)),
        only_b_correct=correct.count((False, True)),
        neither_correct=correct.count((False, False)),
        images=sorted(compared, key=lambda one: (one.a.text == one.b.text, one.a.correct)),
    )


_Image = tuple[int, FolderSource, LabelledImage]


def _held_out(store: ModelStore, model: str, manifests: dict[int, Manifest]) -> list[_Image]:
    """Return the held-out images of all versions, each content once."""
    images: dict[str, _Image] = {}
    for version, manifest in manifests.items():
        folder = store.folder(model, version)
        listed = {name: e for name, e in manifest.files.items() if name.startswith(HELD_OUT)}
        verify_files(folder, listed)
        if not listed:
            continue
        source = FolderSource(folder / HELD_OUT)
        for name, label in find_labels(source, "manifest").labels.items():
            data = source.read(name)
            image = LabelledImage(name, label, content_hash(data), open_image(data).size)
            images.setdefault(image.content, (version, source, image))
    return list(images.values())


def _predict_all(folder: Path, manifest: Manifest, images: list[_Image]) -> list[VersionPrediction]:
    from trainer.pipeline.networks.inference import (  # noqa: PLC0415 - heavy
        OnnxGraph,
        limit_for_graphs,
        load_pixels,
        predict,
    )

    limit_for_graphs(len(images))
    verify_files(folder, {ONNX_MODEL: manifest.files[ONNX_MODEL]})
    graph, vocabulary = OnnxGraph(folder / ONNX_MODEL), manifest.model_vocabulary()
    seen = read_seen_images(folder)
    predictions = []
    for _, source, image in images:
        # One at a time, because the two versions' images have different sources.
        output = predict(graph, load_pixels(source, [image], manifest.image), manifest.image)
        [prediction] = decode(output, vocabulary, manifest.temperature)
        predictions.append(
            VersionPrediction(
                text=prediction.text,
                confidence=prediction.confidence,
                correct=prediction.text == image.label,
                seen=is_among(image, seen),
            )
        )
    return predictions
