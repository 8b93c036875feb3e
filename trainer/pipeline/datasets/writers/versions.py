"""Puts a version of a living dataset together: a zip that the ordinary readers read."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from shared.atomic_files import appearing
from shared.errors import DatasetNotFoundError, StorageError
from trainer.files.shared_files import SharedFiles, dataset_image_name, dataset_version_name
from trainer.pipeline.datasets.writers.lists import FORMATS, Entry
from trainer.schemas.progress import Observer

_OWN = FORMATS["readsmith"]
LISTS = _OWN.lists
"""Names that no image of a version may have."""


class ListedImage(NamedTuple):
    """An image as the list of a version has it."""

    name: str
    sha256: str
    ending: str
    text: str
    """Empty without a label."""
    state: str
    """unlabelled, confirmed or unreadable."""
    random: bool


def write_version(images: Iterable[ListedImage]) -> bytes:
    """Return the list of a version: a CSV."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(ListedImage._fields)
    table.writerows((*image[:-1], int(image.random)) for image in images)
    return text.getvalue().encode()


def read_version(data: bytes) -> Iterator[ListedImage]:
    """Yield what `write_version` wrote."""
    for row in csv.DictReader(io.StringIO(data.decode(), newline="")):
        yield ListedImage(**(row | {"random": row["random"] == "1"}))


def assemble(
    dataset_id: str, version: int, cache: Path, files: SharedFiles, observer: Observer
) -> Path:
    """Return a zip of a version's images and labels, in the cache.

    Raises ReadsmithError dataset_not_found, or storage_unavailable for an image that is missing.
    """
    target = cache / f"{dataset_id}-{version}.zip"
    if target.is_file():
        target.touch()  # the cache deletes the least recently used files first
        return target
    listed = files.read(dataset_version_name(dataset_id, version))
    if listed is None:
        raise DatasetNotFoundError(
            "dataset_not_found",
            f"There is no version {version} of dataset {dataset_id}.",
            "It was deleted after the job was queued.",
        )
    images = list(read_version(listed))
    cache.mkdir(parents=True, exist_ok=True)
    with appearing(target) as aside, zipfile.ZipFile(aside, "w") as archive:
        for image in images:
            observer.checkpoint()
            archive.writestr(image.name, _image(dataset_id, image, files))
        for name, text in _OWN.write([_entry(image) for image in images]).items():
            archive.writestr(name, text)
    return target


def _image(dataset_id: str, image: ListedImage, files: SharedFiles) -> bytes:
    data = files.read(dataset_image_name(dataset_id, image.sha256, image.ending))
    if data is None:
        raise StorageError(
            f"The image {image.name} of dataset {dataset_id} is missing in the shared files.",
            "See that nobody deletes files in the trainer's folder of datasets.",
        )
    return data


def _entry(image: ListedImage) -> Entry:
    labelling = {"state": image.state} | ({"random": "true"} if image.random else {})
    return Entry(image.name, image.text or None, labelling=labelling)
