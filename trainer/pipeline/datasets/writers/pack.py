"""Writes a set as WebDataset shards: tar files of images, each with its label beside it."""

import os
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from shared.errors import DatasetError
from trainer.pipeline.datasets.clean import Checked, check_images
from trainer.pipeline.datasets.image_table import ImageTable, LabelledImage
from trainer.pipeline.datasets.labels.cut_out import cut_out
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.source import ImageSource, open_source
from trainer.pipeline.datasets.sources.tar_file import add_file
from trainer.pipeline.datasets.writers.new_files import new_folder, require_free
from trainer.schemas.job_request import Labels
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits


@dataclass(frozen=True)
class Packed:
    """The result of packing a set."""

    shards: int
    images: int
    left_out: int
    bytes: int


def pack(
    path: Path,
    target: Path,
    labels: Labels,
    images_per_shard: int,
    limits: DatasetLimits = DEFAULT_LIMITS,
) -> Packed:
    """Write the usable images of a set into a new folder, one of each content, shuffled.

    Texts alone: not groups, own parts, or images on which there is nothing to read.

    The same set gives the same shards. The folder appears once all is written, or not at all.
    Raises ReadsmithError: target_exists, no_images, and those of the check.
    """
    require_free(target)
    source = open_source(path, limits)
    found = find_labels(source, labels)
    source = cut_out(source, found)
    checked = check_images(source, found)
    # A text file beside an image cannot say that there is nothing to read on it.
    images = checked.images.where(lambda image: image.label != "")
    if not images:
        raise DatasetError(
            "no_images",
            f"There is no usable labelled image in {path}.",
            "`readsmith datasets check DATASET` says why each was left out.",
        )
    with new_folder(target) as folder:
        return _write(source, checked, images, folder, images_per_shard)


def _write(
    source: ImageSource, checked: Checked, images: ImageTable, folder: Path, images_per_shard: int
) -> Packed:
    images = _shuffled(images)
    size = 0
    starts = range(0, len(images), images_per_shard)
    for number, start in enumerate(starts):
        shard = folder / f"set-{number:06}.tar"
        _write_shard(source, images[start : start + images_per_shard], start, shard)
        size += shard.stat().st_size
    left_out = len(checked.problems) + len(checked.images) - len(images)
    return Packed(len(starts), len(images), left_out, size)


def _shuffled(images: ImageTable) -> ImageTable:
    """Return the images in the order of their hashes: random, and the same for the same set."""
    return images.take(np.lexsort(images.contents.view(">u8").T[::-1]))


def _write_shard(
    source: ImageSource, images: Iterable[LabelledImage], first: int, path: Path
) -> None:
    with (
        path.open("wb") as file,
        tarfile.TarFile(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for number, image in enumerate(images, first):
            ending = PurePosixPath(image.name).suffix.lower()
            add_file(tar, f"{number:09}{ending}", source.read(image.name))
            add_file(tar, f"{number:09}.txt", image.label.encode())
        tar.close()
        file.flush()
        os.fsync(file.fileno())
