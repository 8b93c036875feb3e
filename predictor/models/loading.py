"""From a version in the store to an engine that is known to read as the trainer did."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from predictor.models.engine import Engine
from shared.atomic_files import read_small
from shared.recognition.preprocessing import ImageRejectedError
from shared.store.manifest import (
    GOLDEN_READINGS,
    MANIFEST,
    MOST_BYTES,
    BundleError,
    GoldenReading,
    Manifest,
    verify_bundle,
)
from shared.store.store import ModelStore

CONFIDENCE_TOLERANCE = 1e-3
MOST_GOLDEN = 100
"""More pictures would make loading slow."""
MOST_PICTURE_BYTES = 100_000_000

_READINGS = TypeAdapter(Annotated[list[GoldenReading], Field(max_length=MOST_GOLDEN)])


def load_version(store: ModelStore, model: str, version: int, *, threads: int) -> Engine:
    """Check a version's files, load it and read its golden pictures; raises BundleError."""
    folder = store.folder(model, version)
    manifest = store.manifest(model, version)
    if (manifest.model, manifest.version) != (model, version):
        raise BundleError(
            f"{MANIFEST} is of {manifest.model}/{manifest.version}, not of {model}/{version}.",
            "manifest",
        )
    verify_bundle(folder, manifest.files)
    engine = Engine.load(folder, manifest, threads=threads)
    for golden in _golden_readings(folder, manifest):
        _check_golden(engine, golden, _content(folder, golden.file, MOST_PICTURE_BYTES))
    return engine


def _golden_readings(folder: Path, manifest: Manifest) -> list[GoldenReading]:
    try:
        readings = _READINGS.validate_json(_content(folder, GOLDEN_READINGS, MOST_BYTES))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BundleError(f"{GOLDEN_READINGS} is not valid: {first['msg']}.", "golden") from error
    if not readings and manifest.origin == "trained":
        raise BundleError(f"{GOLDEN_READINGS} names no picture to try it with.", "golden")
    for golden in readings:
        if golden.file not in manifest.files:
            message = f"{GOLDEN_READINGS} names {golden.file[:100]}, which is not a file here."
            raise BundleError(message, "golden")
    return readings


def _content(folder: Path, name: str, limit: int) -> bytes:
    try:
        return read_small(folder / name, limit)
    except OSError as error:
        raise BundleError(f"{name} cannot be read: {error.strerror}.", "golden") from error


def _check_golden(engine: Engine, golden: GoldenReading, image: bytes) -> None:
    try:
        (reading,) = engine.read([image])
    except ImageRejectedError as error:
        raise BundleError(f"{golden.file}: {error.message}", "golden") from error
    if (
        reading.text != golden.text
        or abs(reading.confidence - golden.confidence) > CONFIDENCE_TOLERANCE
    ):
        raise BundleError(
            f"{golden.file} reads {reading.text[:100]!r} ({reading.confidence:.4f}) here, "
            f"the trainer read {golden.text[:100]!r} ({golden.confidence:.4f}).",
            "golden",
        )
