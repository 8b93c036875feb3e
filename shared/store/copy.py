"""Copies a model from a folder to an object storage, with its numbers and its way back."""

from shared.errors import ConflictError
from shared.store.manifest import MANIFEST, verify_bundle
from shared.store.objects.bucket import Bucket
from shared.store.records.record import ModelRecord
from shared.store.records.records import ModelRecords
from shared.store.store import ModelStore


def copy_model(source: ModelStore, bucket: Bucket, model: str) -> ModelRecord:
    """Copy every version, manifests last, then the record by which they are seen.

    Raises ReadsmithError model_not_found or model_exists, BundleError, or StorageError.
    """
    source.require(model)
    records = ModelRecords(bucket)
    _require_none(model, records.look(model))
    record = source.record(model)
    for version in record.numbers:
        _send(source, bucket, model, version)

    def fill(existing: ModelRecord) -> ModelRecord:
        _require_none(model, existing)
        return record.model_copy(update={"unfinished": {}, "deleted": {}, "changes": ()})

    return records.change(model, fill)


def _send(source: ModelStore, bucket: Bucket, model: str, version: int) -> None:
    folder, manifest = source.folder(model, version), source.manifest(model, version)
    verify_bundle(folder, manifest.files)
    below = f"{model}/versions/{version}"
    bucket.send({f"{below}/{name}": folder / name for name in manifest.files})
    bucket.send({f"{below}/{MANIFEST}": folder / MANIFEST})


def _require_none(model: str, record: ModelRecord) -> None:
    if record != ModelRecord():
        raise ConflictError(
            "model_exists",
            f"There is a model {model} already.",
            "Copy it to another prefix, or delete everything below its own.",
        )
