"""Makes living datasets of uploads: by the readers of trainings, in a process of its own."""

import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from shared.api.labelling import ImageState, RejectedImage
from shared.errors import DatasetError, ImageRejectedError, LabelsNotFoundError
from shared.texts import printable, shown
from trainer.database.datasets.images import NewImage
from trainer.database.datasets.learnings import queue_learning
from trainer.database.datasets.room import DatasetRoom
from trainer.database.rows import dataset_not_found
from trainer.database.tables import Database, dataset_images, datasets, now
from trainer.files.shared_files import SharedFiles, dataset_image_name
from trainer.pipeline.datasets.labels.cut_out import cut_out
from trainer.pipeline.datasets.labels.found import FoundLabels
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError, is_image
from trainer.pipeline.datasets.sources.source import ImageSource, open_source
from trainer.schemas.job_request import Labels
from trainer.schemas.labels import UnusableLabelError, usable_label
from trainer.settings import Settings
from trainer.subprocesses import in_stoppable_process

BATCH = 1000
MAX_NAME = 64
"""Characters of who has labelled an image."""


@dataclass
class Imported:
    """What an upload holds: values of rows, and what is no image."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[RejectedImage] = field(default_factory=list)


class DatasetImports:
    """Imports all of an upload or nothing."""

    def __init__(self, database: Database, settings: Settings, room: DatasetRoom) -> None:
        self._database = database
        self._settings = settings
        self._room = room

    def create(
        self, name: str, upload: Path, labels: Labels | None, checkpoint: Callable[[], None]
    ) -> tuple[str, list[RejectedImage]]:
        """Make a living dataset of a zip or a tar; return its id, and what is no image in it.

        Whatever checkpoint raises ends it. Raises the ReadsmithError with which a job on these
        labels would fail, but for labels_not_found: then no image has any.
        """
        dataset_id = f"dataset-{uuid.uuid4().hex}"
        values = {"id": dataset_id, "name": name, "bytes": upload.stat().st_size, "sha256": ""}
        with self._room.reserved(upload.stat().st_size):
            with self._database.writing.begin() as connection:
                # Without a version it is an upload without a file: shown nowhere, and one day
                # deleted to make room if this process dies.
                connection.execute(insert(datasets).values(created_at=now(), **values))
            try:
                found = in_stoppable_process(
                    checkpoint, read_upload, upload, labels, self._settings, dataset_id
                )
                self._show(dataset_id, found.rows)
            except BaseException:
                with self._database.writing.begin() as connection:
                    self._room.remove_upload(connection, dataset_id)
                raise
        return dataset_id, found.rejected

    def _show(self, dataset_id: str, rows: list[dict[str, Any]]) -> None:
        with self._database.writing.begin() as connection:
            ours = update(datasets).where(datasets.c.id == dataset_id)
            size = sum(row["bytes"] for row in rows)
            if connection.execute(ours.values(version=1, bytes=size)).rowcount == 0:
                raise dataset_not_found(dataset_id)  # deleted to make room
            for start in range(0, len(rows), BATCH):
                connection.execute(insert(dataset_images), rows[start : start + BATCH])
            queue_learning(connection, dataset_id)


def read_upload(path: Path, labels: Labels | None, settings: Settings, dataset_id: str) -> Imported:
    """Store the images of a zip or a tar, and return their rows."""
    source, found = _labelled(open_source(path, settings.dataset_limits), labels)
    files, done = settings.open_shared_files(), Imported()
    rows: dict[str, dict[str, Any]] = {}
    marked = {image for image, _ in found.boxes.values()}  # of which the lines are taken
    for name in source.names():
        if (
            not is_image(name)
            or not printable(name)
            or (name in marked and name not in found.labels)
        ):
            continue
        try:
            image = NewImage.of(name, source.read(name))
        except UnreadableEntryError as error:
            rejected = RejectedImage(name=shown(name), code="not_an_image", message=f"It {error}.")
            done.rejected.append(rejected)
        except ImageRejectedError as error:
            rejected = RejectedImage(name=shown(name), code=error.code, message=error.message)
            done.rejected.append(rejected)
        else:
            row = image.row(dataset_id) | _label(
                found.labels.get(name), found.labellings.get(name, {})
            )
            if image.sha256 not in rows:
                _write(image, dataset_id, files)
            rows[image.sha256] = _agreed(rows.get(image.sha256), row)
    if not rows:
        raise DatasetError(
            "no_images",
            "The upload holds no image that can be read.",
            "Send a zip or a tar of images.",
        )
    done.rows = list(rows.values())
    return done


def _labelled(source: ImageSource, labels: Labels | None) -> tuple[ImageSource, FoundLabels]:
    if labels is None:
        return source, FoundLabels("nowhere")
    try:
        found = find_labels(source, labels)
    except LabelsNotFoundError:
        if labels != "auto":
            raise
        return source, FoundLabels("nowhere")
    return cut_out(source, found), found


def _write(image: NewImage, dataset_id: str, files: SharedFiles) -> None:
    files.write(image.data, dataset_image_name(dataset_id, image.sha256, image.ending))


_NOTHING = {"text": None, "by": None, "at": None, "random": False}


def _label(text: str | None, said: Mapping[str, str]) -> dict[str, Any]:
    """Return what a set says of an image's label, with what an export says beyond."""
    proposal = _usable(said.get("proposal", ""))
    values: dict[str, Any] = {
        "proposal": proposal,
        "confidence": _share(said.get("confidence", "")) if proposal else 0.0,
        "proposed_by": said.get("proposed_by", "")[:128] or None if proposal else None,
    }
    if text is None:
        state = ImageState.UNLABELLED if proposal is None else ImageState.PROPOSED
        return values | _NOTHING | {"state": state}
    suspected = said.get("state", "").lower() == ImageState.SUSPECTED and proposal
    labelled = ImageState.SUSPECTED if suspected else ImageState.CONFIRMED
    return values | {
        "state": labelled if text else ImageState.UNREADABLE,
        "text": text or None,
        "by": shown(said["by"])[:MAX_NAME] if "by" in said else None,
        "at": _moment(said.get("at", "")),
        "random": said.get("random") == "true",
    }


def _agreed(first: dict[str, Any] | None, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of an image that is there twice: a person decides between two labels."""
    if first is None:
        return row
    if not ImageState(first["state"]).is_settled:
        return row | {"name": first["name"]}
    if not ImageState(row["state"]).is_settled or first["text"] == row["text"]:
        return first
    state = ImageState.UNLABELLED if first["proposal"] is None else ImageState.PROPOSED
    return first | _NOTHING | {"state": state}


def _usable(text: str) -> str | None:
    try:
        return usable_label(text)
    except UnusableLabelError:
        return None


def _share(number: str) -> float:
    with suppress(ValueError):
        value = float(number)
        if 0 <= value <= 1:
            return value
    return 0.0


def _moment(text: str) -> float:
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromisoformat(text).timestamp()
    return time.time()
