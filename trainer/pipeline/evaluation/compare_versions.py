"""Sets the readings of two versions side by side, picture by picture."""

from pathlib import Path

from pydantic import BaseModel

from shared.errors import ReadsmithError
from shared.recognition.decoding import Reading, decode
from shared.store.manifest import ONNX_MODEL, REPORT, Manifest, verify_files
from shared.store.store import ModelStore
from trainer.pipeline.datasets.clean import content_hash
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.seen_images import is_among, read_seen_images
from trainer.pipeline.datasets.sources.source import FolderSource
from trainer.subprocesses import in_clean_process

HELD_OUT = f"{REPORT}/held_out"


class VersionReading(BaseModel):
    """What one version reads in a picture."""

    text: str
    confidence: float
    right: bool
    seen: bool
    """Whether the version was trained on this picture."""


class ComparedPicture(BaseModel):
    """A picture that one of the versions was tested on, and what both read in it."""

    picture: str
    """Its address on this service."""
    truth: str
    a: VersionReading
    b: VersionReading


class VersionComparison(BaseModel):
    """Two versions on the pictures that either was tested on; those that they differ on first."""

    model: str
    a: int
    b: int
    both_right: int
    only_a_right: int
    only_b_right: int
    neither_right: int
    pictures: list[ComparedPicture]


def compare_versions(store: ModelStore, model: str, a: int, b: int) -> VersionComparison:
    """Read the held-out pictures of both versions with both, in a process of its own.

    Raises ReadsmithError (bundle_invalid, no_held_out_pictures).
    """
    return in_clean_process(_compare, store, model, a, b)


def _compare(store: ModelStore, model: str, a: int, b: int) -> VersionComparison:
    manifests = {version: store.manifest(model, version) for version in (a, b)}
    pictures = _held_out(store, model, manifests)
    if not pictures:
        raise ReadsmithError(
            "no_held_out_pictures",
            f"Neither version {a} nor version {b} of {model} keeps pictures to compare on.",
            "Imported versions have none.",
        )
    read = {v: _read(store.folder(model, v), manifests[v], pictures) for v in (a, b)}
    compared = [
        ComparedPicture(
            picture=f"/models/{model}/versions/{version}/files/{HELD_OUT}/{image.name}",
            truth=image.label,
            a=read[a][place],
            b=read[b][place],
        )
        for place, (version, _, image) in enumerate(pictures)
    ]
    right = [(one.a.right, one.b.right) for one in compared]
    return VersionComparison(
        model=model,
        a=a,
        b=b,
        both_right=right.count((True, True)),
        only_a_right=right.count((True, False)),
        only_b_right=right.count((False, True)),
        neither_right=right.count((False, False)),
        pictures=sorted(compared, key=lambda one: (one.a.text == one.b.text, one.a.right)),
    )


_Picture = tuple[int, FolderSource, LabelledImage]


def _held_out(store: ModelStore, model: str, manifests: dict[int, Manifest]) -> list[_Picture]:
    """Return the held-out pictures of all versions, each content once."""
    pictures: dict[str, _Picture] = {}
    for version, manifest in manifests.items():
        folder = store.folder(model, version)
        listed = {name: e for name, e in manifest.files.items() if name.startswith(HELD_OUT)}
        verify_files(folder, listed)
        if not listed:
            continue
        source = FolderSource(folder / HELD_OUT)
        for name, label in sorted(find_labels(source, "manifest").labels.items()):
            content = content_hash(source.read(name))
            image = LabelledImage(name, label, content)
            pictures.setdefault(content, (version, source, image))
    return list(pictures.values())


def _read(folder: Path, manifest: Manifest, pictures: list[_Picture]) -> list[VersionReading]:
    from trainer.pipeline.networks.inference import (  # noqa: PLC0415 - heavy
        OnnxGraph,
        load_pixels,
        predict,
    )

    verify_files(folder, {ONNX_MODEL: manifest.files[ONNX_MODEL]})
    graph, vocabulary = OnnxGraph(folder / ONNX_MODEL), manifest.reader_vocabulary()
    seen = read_seen_images(folder)
    readings = []
    for _, source, image in pictures:
        output = predict(graph, load_pixels(source, [image], manifest.image), manifest.image)
        [reading] = decode(output, vocabulary, manifest.temperature)
        readings.append(_described(reading, image, seen))
    return readings


def _described(reading: Reading, image: LabelledImage, seen: frozenset[str]) -> VersionReading:
    return VersionReading(
        text=reading.text,
        confidence=reading.confidence,
        right=reading.text == image.label,
        seen=is_among(image, seen),
    )
