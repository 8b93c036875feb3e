"""Copies a model from a folder to an object storage, with its numbers and its way back."""

import hashlib

from shared.errors import ConflictError
from shared.store.manifest import MANIFEST, verify_bundle
from shared.store.objects.bucket import Bucket
from shared.store.objects.record import Listed, ModelRecord
from shared.store.objects.records import ModelRecords
from shared.store.store import ModelStore


def copy_model(source: ModelStore, bucket: Bucket, model: str) -> ModelRecord:
    """Copy every version, manifests last, then the record by which they are seen.

    Raises ReadsmithError model_not_found or model_exists, BundleError, or StorageError.
    """
    source.require(model)
    records = ModelRecords(bucket)
    _require_none(model, records.look(model))
    history = source.history(model)
    listed = {version: _send(source, bucket, model, version) for version in source.versions(model)}
    copied = ModelRecord(
        current=source.current(model),
        before=history.before,
        given=max([history.highest, *listed]),
        versions=listed,
        settings=source.settings(model),
    )

    def fill(record: ModelRecord) -> ModelRecord:
        _require_none(model, record)
        return copied

    return records.change(model, fill)


def _send(source: ModelStore, bucket: Bucket, model: str, version: int) -> Listed:
    folder, manifest = source.folder(model, version), source.manifest(model, version)
    verify_bundle(folder, manifest.files)
    below = f"{model}/versions/{version}"
    bucket.send({f"{below}/{name}": folder / name for name in manifest.files})
    data = (folder / MANIFEST).read_bytes()
    bucket.write(f"{below}/{MANIFEST}", data)
    return Listed(manifest_sha256=hashlib.sha256(data).hexdigest(), job_id=manifest.job_id)


def _require_none(model: str, record: ModelRecord) -> None:
    if record != ModelRecord():
        raise ConflictError(
            "model_exists",
            f"There is a model {model} already.",
            "Copy it to another prefix, or delete everything below its own.",
        )
