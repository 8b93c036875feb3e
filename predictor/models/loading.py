"""Loads a version from the store and verifies that it predicts what it did in the trainer."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from predictor.models.engine import Engine
from shared.errors import BundleError, ImageRejectedError
from shared.store.manifest import (
    MANIFEST,
    GoldenPrediction,
    Manifest,
    first_fault,
    read_file,
    verify_bundle,
)
from shared.store.store import ModelStore

CONFIDENCE_TOLERANCE = 1e-3
"""float32 is rounded differently on other CPUs; wrong preprocessing shows far above it."""
CUT_TOLERANCE = 0.02
"""Where a detector cuts the line out: rounding moves its corners by a hundredth of a pixel."""
MAX_GOLDEN = 100
"""More images would make loading slow."""
MAX_IMAGE_BYTES = 100_000_000

_PREDICTIONS = TypeAdapter(Annotated[list[GoldenPrediction], Field(max_length=MAX_GOLDEN)])


def load_version(store: ModelStore, model: str, version: int, *, threads: int) -> Engine:
    """Verify a version's files, load it and predict its golden images; raises BundleError.

    Only for versions of which it is known that their graph does no harm: see safe_loading.
    """
    return load_bundle(*verified(store, model, version), threads=threads)


def verified(store: ModelStore, model: str, version: int) -> tuple[Path, Manifest]:
    """Return a version's folder, whose files have been verified, and manifest.

    Raises BundleError.
    """
    folder = store.folder(model, version)
    manifest = store.manifest(model, version)
    if (manifest.model, manifest.version) != (model, version):
        raise BundleError(
            f"{MANIFEST} is of {manifest.model}/{manifest.version}, not of {model}/{version}.",
            "manifest",
        )
    # All hashes before any parser: a file with a flipped bit may load without an error.
    verify_bundle(folder, manifest.files)
    return folder, manifest


def load_bundle(folder: Path, manifest: Manifest, *, threads: int) -> Engine:
    """Load a verified bundle and predict its golden images; raises BundleError."""
    engine = Engine.load(folder, manifest, threads=threads)
    for golden in _golden_predictions(folder, manifest):
        _check_golden(engine, golden, read_file(folder, golden.file, "golden", MAX_IMAGE_BYTES))
    engine.give_back()
    return engine


def _golden_predictions(folder: Path, manifest: Manifest) -> list[GoldenPrediction]:
    name = manifest.golden_predictions
    try:
        predictions = _PREDICTIONS.validate_json(read_file(folder, name, "golden"))
    except ValidationError as error:
        message = f"{name} is not valid at {first_fault(error)}."
        raise BundleError(message, "golden") from error
    if not predictions and manifest.origin == "trained":
        raise BundleError(f"{name} names no image to verify it with.", "golden")
    for golden in predictions:
        if golden.file not in manifest.files:
            # Only listed files have been verified; a name could also lead out of the bundle.
            message = f"{name} names {golden.file[:100]}, not a file of the bundle."
            raise BundleError(message, "golden")
    return predictions


def _check_golden(engine: Engine, golden: GoldenPrediction, image: bytes) -> None:
    tolerance = CUT_TOLERANCE if engine.detects else CONFIDENCE_TOLERANCE
    try:
        (prediction,) = engine.predict([image])
    except ImageRejectedError as error:
        raise BundleError(f"{golden.file}: {error.message}", "golden") from error
    if prediction.text != golden.text or abs(prediction.confidence - golden.confidence) > tolerance:
        raise BundleError(
            f"The prediction of {golden.file} is {prediction.text[:100]!r} "
            f"({prediction.confidence:.4f}), in the trainer it was {golden.text[:100]!r} "
            f"({golden.confidence:.4f}).",
            "golden",
        )
