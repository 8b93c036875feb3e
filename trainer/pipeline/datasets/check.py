"""Checks an uploaded dataset before a job trains on it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from shared.api.datasets import DatasetCheck, Sample
from shared.errors import NotFoundError
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.sources.compression import tar_opener
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError, is_image
from trainer.pipeline.datasets.sources.marked.boxes import box_named, read_cut
from trainer.pipeline.datasets.sources.shards import is_shard
from trainer.pipeline.datasets.sources.source import open_source
from trainer.schemas.job_request import JobRequest
from trainer.schemas.limits import DatasetLimits
from trainer.subprocesses import in_stoppable_process

SAMPLES = 24
SHOWN_TAR_BYTES = 20_000_000
"""Reading a larger one would block the API for more than a second."""


def check_upload(
    path: Path, request: JobRequest, limits: DatasetLimits, checkpoint: Callable[[], None]
) -> DatasetCheck:
    """Check an upload in a separate process, which ends when checkpoint raises.

    Raises the ReadsmithError with which a job would fail.
    """
    return in_stoppable_process(checkpoint, _check, path, request, limits)


def _check(path: Path, request: JobRequest, limits: DatasetLimits) -> DatasetCheck:
    dataset = load_dataset(path, request, limits=limits)
    images = (dataset.train + dataset.validation + dataset.test).in_order()
    count = min(SAMPLES, len(images))
    chosen = np.random.default_rng(request.seed).choice(len(images), count, replace=False)
    samples = [Sample(file=images[i].name, label=images[i].label) for i in sorted(chosen.tolist())]
    return DatasetCheck(summary=dataset.summary, samples=samples)


def dataset_image(path: Path, name: str, limits: DatasetLimits) -> bytes:
    """Return the bytes of one image of a zip or a tar.

    Raises ReadsmithError: image_not_found, and those of open_source.
    """
    if path.stat().st_size > SHOWN_TAR_BYTES and (is_shard(path) or tar_opener(path) is not None):
        raise NotFoundError(
            "image_not_found",
            f"Images of a tar of more than {SHOWN_TAR_BYTES:,} bytes are not shown.",
            "A tar has no directory: all of it would have to be read.",
        )
    source = open_source(path, limits)
    names = source.names()
    cut = box_named(name) if name not in names else None
    if (cut[0] if cut else name) not in names or not is_image(name):
        raise NotFoundError(
            "image_not_found",
            f"The dataset holds no image {name[:200]!r}.",
            "The dataset's check names images that it holds.",
        )
    try:
        return read_cut(source, *cut) if cut else source.read(name)
    except UnreadableEntryError as error:
        raise NotFoundError(
            "image_not_found", f"{name} {error}.", "Pack the zip again and upload it."
        ) from error
