"""From a version in the store to an engine that is known to read as the trainer did."""

from pydantic import TypeAdapter, ValidationError

from predictor.engine import Engine
from shared.manifest import GOLDEN_READINGS, MANIFEST, BundleError, GoldenReading, verify_files
from shared.model_store import ModelStore

CONFIDENCE_TOLERANCE = 1e-3


def load_version(store: ModelStore, model: str, version: int, *, threads: int) -> Engine:
    """Check a version's files, load it and read its golden pictures; raises BundleError."""
    folder = store.folder(model, version)
    manifest = store.manifest(model, version)
    if (manifest.model, manifest.version) != (model, version):
        raise BundleError(
            f"{MANIFEST} is of {manifest.model}/{manifest.version}, not of {model}/{version}."
        )
    verify_files(folder, manifest.files)
    engine = Engine.load(folder, manifest, threads=threads)
    for golden in _golden_readings((folder / GOLDEN_READINGS).read_bytes()):
        if golden.file not in manifest.files:
            raise BundleError(f"{GOLDEN_READINGS} names {golden.file}, which is not a file here.")
        _check_golden(engine, golden, (folder / golden.file).read_bytes())
    return engine


def _golden_readings(data: bytes) -> list[GoldenReading]:
    try:
        return TypeAdapter(list[GoldenReading]).validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BundleError(f"{GOLDEN_READINGS} is not valid: {first['msg']}.") from error


def _check_golden(engine: Engine, golden: GoldenReading, image: bytes) -> None:
    (reading,) = engine.read([image])
    if (
        reading.text != golden.text
        or abs(reading.confidence - golden.confidence) > CONFIDENCE_TOLERANCE
    ):
        raise BundleError(
            f"{golden.file} reads {reading.text!r} ({reading.confidence:.4f}) here, "
            f"the trainer read {golden.text!r} ({golden.confidence:.4f})."
        )
