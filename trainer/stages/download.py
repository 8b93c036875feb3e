"""Stage 1: bring the dataset to this machine: download it, find its upload, or draw it."""

import hashlib
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import requests

from shared.errors import ReadsmithError
from trainer.progress import Observer
from trainer.requests import Dataset
from trainer.synthetic import draw_dataset

MAX_BYTES = 1_000_000_000
CHUNK = 1 << 20
CONNECT_SECONDS, READ_SECONDS = 10, 60
MIN_FREE_BYTES = 200_000_000


def describe(dataset: Dataset) -> str:
    """Name a dataset in words."""
    if dataset.url is not None:
        return dataset.url
    if dataset.id is not None:
        return f"upload {dataset.id}"
    assert dataset.synthetic is not None  # noqa: S101 - a Dataset has exactly one source
    return f"synthetic: {dataset.synthetic.images} images drawn with the captcha library"


def fetch(dataset: Dataset, cache: Path, uploads: Path, observer: Observer) -> Path:
    """Return the local zip of a dataset; downloads and drawings are kept in the cache.

    Raises ReadsmithError (download_failed, download_too_large, sha256_differs, dataset_not_found).
    """
    if dataset.id is not None:
        return _upload(uploads / f"{dataset.id}.zip", dataset.id)
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"{hashlib.sha256(dataset.model_dump_json().encode()).hexdigest()[:32]}.zip"
    if target.is_file():
        observer.event("cached", f"Using the cached copy of {describe(dataset)}.")
        return target
    aside = target.with_suffix(".part")
    if dataset.synthetic is not None:
        draw_dataset(dataset.synthetic, aside)
    else:
        _download(dataset, aside, observer)
    aside.replace(target)
    return target


def _upload(path: Path, dataset_id: str) -> Path:
    if not path.is_file():
        raise ReadsmithError(
            "dataset_not_found", f"There is no upload {dataset_id}.", "Send it to POST /datasets."
        )
    return path


def _download(dataset: Dataset, target: Path, observer: Observer) -> None:
    url = dataset.url or ""
    host = urlsplit(url).hostname
    try:
        with requests.get(url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as answer:
            if not answer.ok:
                raise _failed(url, f"{host} answered {answer.status_code} {answer.reason}")
            digest = _save(answer, target, observer)
    except requests.RequestException as error:
        raise _failed(url, f"{host}: {_reason(error)}") from error
    if dataset.sha256 is not None and digest != dataset.sha256:
        target.unlink()
        raise ReadsmithError(
            "sha256_differs",
            f"The zip at {url} has the SHA-256 {digest}.",
            f"The request says {dataset.sha256}.",
        )


def _save(answer: requests.Response, target: Path, observer: Observer) -> str:
    """Write the body to a file; return its SHA-256."""
    digest, size = hashlib.sha256(), 0
    expected = int(answer.headers.get("Content-Length") or 0)
    if shutil.disk_usage(target.parent).free < expected + MIN_FREE_BYTES:
        raise ReadsmithError("disk_full", f"No room for {expected:,} bytes.", "Free some disk.")
    with target.open("wb") as file:
        for chunk in answer.iter_content(CHUNK):
            observer.checkpoint()
            size += len(chunk)
            if size > MAX_BYTES:
                raise ReadsmithError(
                    "download_too_large", f"{answer.url} is too large.", f"Limit: {MAX_BYTES:,} B."
                )
            digest.update(chunk)
            file.write(chunk)
    if expected and size < expected and "Content-Encoding" not in answer.headers:
        raise _failed(answer.url, f"the connection ended after {size:,} of {expected:,} bytes")
    return digest.hexdigest()


def _failed(url: str, why: str) -> ReadsmithError:
    return ReadsmithError(
        "download_failed",
        f"{url} could not be downloaded: {why}.",
        "Check the address and the network, or send a zip to POST /datasets.",
    )


def _reason(error: requests.RequestException) -> str:
    """Say the innermost cause, without the libraries' wrapping."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
