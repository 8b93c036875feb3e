"""The client's side of living datasets: images whose labels people give one by one."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from readsmith.client.connection import ServiceConnection
from readsmith.client.errors import ServiceError
from shared.api.datasets import DatasetPage, Upload
from shared.api.labelling import (
    AddedImages,
    ChangedLabels,
    CreatedDataset,
    DatasetImage,
    ImagePage,
    Learning,
    LivingDataset,
)
from shared.atomic_files import appearing

IMAGES_AT_ONCE, BYTES_AT_ONCE = 64, 32_000_000
"""Most in one request, unless one image alone has more."""
PAGE = 1000

Named = tuple[str, bytes]


class Datasets:
    """The datasets of a trainer; every method raises ServiceError."""

    def __init__(self, trainer: ServiceConnection) -> None:
        self._trainer = trainer

    def create(
        self, name: str, *, upload: str | None = None, labels: Any = "auto"
    ) -> CreatedDataset:
        """Make a living dataset: empty, or of the images and labels of an upload.

        labels: where these are, as in POST /jobs; None: nowhere.
        """
        body = {"name": name} | ({"from": upload, "labels": labels} if upload else {})
        return self._trainer.ask(CreatedDataset, "POST", "/datasets", json=body)

    def list(self, limit: int = 100, after: str | None = None) -> list[Upload | LivingDataset]:
        """Return datasets, newest first: uploads, and living ones."""
        query = {"limit": limit} | ({"after": after} if after else {})
        return self._trainer.ask(DatasetPage, "GET", "/datasets", repeat=True, params=query).data

    def get(self, dataset_id: str) -> Upload | LivingDataset:
        """Return a dataset of either kind."""
        answer = self._trainer.send("GET", _path(dataset_id), repeat=True)
        if not answer.ok:
            raise self._trainer.refusal(answer)
        try:
            return self._trainer.parsed(LivingDataset, answer.content, answer.status_code)
        except ServiceError:
            return self._trainer.parsed(Upload, answer.content, answer.status_code)

    def rename(self, dataset_id: str, name: str) -> None:
        """Name a dataset."""
        self._do("PATCH", _path(dataset_id), json={"name": name})

    def delete(self, dataset_id: str) -> None:
        """Delete a dataset that no queued or running job needs, with its labels."""
        self._do("DELETE", _path(dataset_id))

    def add(self, dataset_id: str, images: Iterable[str | os.PathLike[str] | Named]) -> AddedImages:
        """Add images: paths, under their names, or names and bytes; many in each request."""
        done = AddedImages(added=0, known=0, rejected=[])
        for batch in _batches(map(_named, images)):
            files = [("image", each) for each in batch]
            path = f"{_path(dataset_id)}/images"
            # Sent twice, an image is there once.
            one = self._trainer.ask(AddedImages, "POST", path, repeat=True, files=files)
            done = AddedImages(
                added=done.added + one.added,
                known=done.known + one.known,
                rejected=[*done.rejected, *one.rejected],
            )
        return done

    def images(
        self, dataset_id: str, order: str = "name", states: Sequence[str] = ()
    ) -> Iterator[DatasetImage]:
        """Yield the images in these states, none meaning all, in an order."""
        query: dict[str, Any] = {"order": order, "state": list(states), "limit": PAGE}
        while True:
            path = f"{_path(dataset_id)}/images"
            page = self._trainer.ask(ImagePage, "GET", path, repeat=True, params=query)
            yield from page.data
            if not page.has_more:
                return
            query["after"] = page.data[-1].id

    def label(
        self, dataset_id: str, labels: Iterable[Mapping[str, Any]], by: str | None = None
    ) -> ChangedLabels:
        """Change labels, all or none; each as PUT /datasets/{id}/labels has it.

        The code of ServiceError is labels_changed if somebody else has changed one since.
        """
        body = {"labels": [dict(label) for label in labels], "by": by}
        path = f"{_path(dataset_id)}/labels"
        return self._trainer.ask(ChangedLabels, "PUT", path, repeat=True, json=body)

    def learn(self, dataset_id: str) -> str:
        """Have the labels learned from now; return the job's id."""
        path = f"{_path(dataset_id)}/learn"
        return self._trainer.ask(Learning, "POST", path, repeat=True).job

    def export(self, dataset_id: str, target: Path, to: str = "readsmith") -> None:
        """Write a living dataset as a zip in one of the formats of `readsmith datasets convert`."""
        path, query = f"{_path(dataset_id)}.zip", {"format": to}
        answer = self._trainer.send("GET", path, repeat=True, params=query, stream=True)
        if not answer.ok:
            raise self._trainer.refusal(answer)
        with appearing(target) as aside, aside.open("wb") as file:
            for chunk in self._trainer.chunks(answer):
                file.write(chunk)

    def _do(self, method: str, path: str, **content: Any) -> None:
        answer = self._trainer.send(method, path, **content)
        if not answer.ok:
            raise self._trainer.refusal(answer)


def _path(dataset_id: str) -> str:
    return f"/datasets/{quote(dataset_id, safe='')}"


def _named(image: str | os.PathLike[str] | Named) -> Named:
    if isinstance(image, tuple):
        return image
    path = Path(image)
    return path.name, path.read_bytes()


def _batches(images: Iterable[Named]) -> Iterator[list[Named]]:
    batch: list[Named] = []
    size = 0
    for image in images:
        if batch and (len(batch) == IMAGES_AT_ONCE or size + len(image[1]) > BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(image)
        size += len(image[1])
    if batch:
        yield batch
