"""Stage 1: get the dataset: download it, find its upload, or draw it."""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from shared.atomic_files import write_atomically
from shared.errors import DatasetError, DatasetNotFoundError, DownloadFailedError
from trainer.files.shared_files import SharedFiles, upload_name
from trainer.pipeline.downloads.partial_file import PartFile, Validators, open_part
from trainer.pipeline.downloads.synthetic import draw_dataset
from trainer.pipeline.downloads.transfer import Download
from trainer.schemas.job_request import DatasetRequest
from trainer.schemas.limits import DownloadRules
from trainer.schemas.progress import Observer


class _Copy(BaseModel):
    """The cached copy of a URL: <sha256>.zip, and the validators of that version of it."""

    sha256: str
    validators: Validators


def describe(dataset: DatasetRequest) -> str:
    """Describe a dataset's source for messages."""
    if dataset.url is not None:
        return dataset.url
    if dataset.id is not None:
        version = "" if dataset.version is None else f" version {dataset.version}"
        return f"dataset {dataset.id}{version}"
    assert dataset.synthetic is not None  # noqa: S101 - a DatasetRequest has exactly one source
    return f"synthetic: {dataset.synthetic.images} images drawn with the captcha library"


def fetch(
    dataset: DatasetRequest,
    cache: Path,
    files: SharedFiles,
    observer: Observer,
    rules: DownloadRules,
) -> Path:
    """Return the local zip of a dataset; downloads and drawn sets are cached.

    A cached download is used if its server says that it is current, or if the dataset's sha256
    matches it. Raises ReadsmithError (download_failed, download_refused, download_too_large,
    sha256_differs, disk_full, dataset_not_found).
    """
    if dataset.id is not None:
        return _upload(dataset.id, cache, files)
    cache.mkdir(parents=True, exist_ok=True)
    if dataset.url is not None:
        return _from_web(dataset.url, dataset.sha256, cache, observer, rules)
    return _drawn(dataset, cache, observer)


def _upload(dataset_id: str, cache: Path, files: SharedFiles) -> Path:
    path = files.local(upload_name(dataset_id), cache)
    if path is None:
        raise DatasetNotFoundError(
            "dataset_not_found", f"There is no upload {dataset_id}.", "Send it to POST /datasets."
        )
    return path


def _drawn(dataset: DatasetRequest, cache: Path, observer: Observer) -> Path:
    assert dataset.synthetic is not None  # noqa: S101 - fetch has handled the other sources
    target = cache / f"{_name(dataset.model_dump_json())}.zip"
    if target.is_file():
        return _cached(target, describe(dataset), observer)
    with open_part(cache, target.stem) as part:
        draw_dataset(dataset.synthetic, part.path, observer.checkpoint)
        part.complete_as(target)
    return target


def _from_web(
    url: str, sha256: str | None, cache: Path, observer: Observer, rules: DownloadRules
) -> Path:
    if sha256 is not None and (cache / f"{sha256}.zip").is_file():
        return _cached(cache / f"{sha256}.zip", url, observer)
    record = cache / f"{_name(url)}.json"
    copy = _copy(record, cache) if sha256 is None else None
    with open_part(cache, _name(url)) as part:
        try:
            download = Download(url, part, observer, rules)
            changed = download.run(copy.validators if copy else Validators())
        except DownloadFailedError as error:
            if copy is None:
                raise
            observer.event("warning", f"{error.message} The cached copy is used instead.")
            changed = False
        if not changed:
            assert copy is not None  # noqa: S101 - otherwise nothing could be unchanged
            return _cached(cache / f"{copy.sha256}.zip", url, observer)
        return _store(part, url, sha256, record)


def _store(part: PartFile, url: str, sha256: str | None, record: Path) -> Path:
    digest = part.sha256()
    if sha256 is not None and digest != sha256:
        part.discard()
        raise DatasetError(
            "sha256_differs",
            f"The zip at {url} has the SHA-256 {digest}.",
            f"The request says {sha256}.",
        )
    target = record.with_name(f"{digest}.zip")
    copy = _Copy(sha256=digest, validators=part.validators)
    part.complete_as(target)
    # After the zip: a record must never name a file that is not there.
    write_atomically(record, copy.model_dump_json().encode())
    return target


def _cached(path: Path, name: str, observer: Observer) -> Path:
    observer.event("cached", f"Using the cached copy of {name}.")
    path.touch()  # the cache deletes the least recently used files first
    return path


def _copy(record: Path, cache: Path) -> _Copy | None:
    try:
        copy = _Copy.model_validate_json(record.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return copy if (cache / f"{copy.sha256}.zip").is_file() else None


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
