"""Publishing a version: its number, files and manifest, then the record that lists it."""

import hashlib
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from shared.errors import ConflictError, ReadsmithError, StorageAwayError, StorageError
from shared.store.bundles.model_card import CARD, write_card
from shared.store.manifest import MANIFEST, FileEntry, Manifest
from shared.store.objects.interface import ObjectStore
from shared.store.records.record import Listed, ModelRecord, Unfinished
from shared.store.records.records import ModelRecords

ABANDONED = timedelta(days=1)
"""A publication that began longer ago was cut off, where the storage cannot tell sooner."""
TIMEOUT_SECONDS = 300.0
"""How long a publication waits for a storage that is away: training took longer."""
PAUSE_SECONDS = 5.0

T = TypeVar("T")


class Publication:
    """One attempt to publish what lies below a folder as a model's next version."""

    def __init__(
        self, objects: ObjectStore, records: ModelRecords, model: str, job_id: str
    ) -> None:
        self._objects = objects
        self._records = records
        self._model = model
        self._job_id = job_id
        self._name = uuid.uuid4().hex

    def publish(
        self,
        build: Path,
        make_manifest: Callable[[int, dict[str, FileEntry]], Manifest],
        may_publish: Callable[[], None],
        change: Callable[[ModelRecord, int], ModelRecord],
    ) -> Manifest:
        """Publish it; change makes of a record that lists the new version what it is to become.

        Cut off anywhere before the record, it leaves files that nobody sees, and that a later
        publication removes. Raises ReadsmithError publication_superseded if another attempt of
        the job has begun after this one.
        """
        with self._objects.hold(self._sign(self._name)):
            number = self._number()
            try:
                found = (path for path in build.rglob("*") if path.is_file())
                names = sorted(path.relative_to(build).as_posix() for path in found)
                entries = {n: FileEntry.of(build / n) for n in names if n not in CARD}
                manifest = _with_card(make_manifest(number, entries), build)
                files = {self._key(number, name): build / name for name in (*entries, *CARD)}
                retried(lambda: self._objects.send(files))
                data = manifest.model_dump_json(indent=2).encode()
                may_publish()  # again: sending takes its time
                retried(lambda: self._objects.write(self._key(number, MANIFEST), data))
                sha256 = hashlib.sha256(data).hexdigest()
                listed = Listed(manifest_sha256=sha256, job_id=self._job_id)
                retried(lambda: self._list(number, listed, change))
            except BaseException as error:
                if self._taken_back(number) or not isinstance(error, Exception):
                    raise
            return manifest

    def _number(self) -> int:
        now = datetime.now(UTC)
        new = Unfinished(job_id=self._job_id, publication=self._name, since=now)
        record = retried(lambda: self._records.change(self._model, lambda r: r.begun(new)))
        number = record.number_of(self._name)
        if number is None:
            raise self._superseded()
        return number

    def _list(
        self, number: int, listed: Listed, change: Callable[[ModelRecord, int], ModelRecord]
    ) -> ModelRecord:
        def publish(record: ModelRecord) -> ModelRecord:
            if number in record.versions:
                return record
            if number not in record.unfinished:
                raise self._superseded()
            left = [n for n, one in record.unfinished.items() if self._is_cut_off(one)]
            return change(record.published(number, listed).without_unfinished(left), number)

        return self._records.change(self._model, publish)

    def _is_cut_off(self, other: Unfinished) -> bool:
        held = self._objects.is_held(self._sign(other.publication))
        return datetime.now(UTC) - other.since > ABANDONED if held is None else not held

    def _taken_back(self, number: int) -> bool:
        """Give the number back and delete its files, as far as the storage can be used.

        False if the version has been published after all: the answer was lost.
        """
        with suppress(StorageError):  # a later publication removes it
            try:
                record = self._records.change(self._model, lambda r: r.without_unfinished({number}))
            except OSError:  # a full disk; what a folder did not write is not on its way either
                record = self._records.look(self._model)
            if number in record.versions:
                return False
            with suppress(OSError):
                self._objects.delete(self._objects.keys(f"{self._model}/versions/{number}"))
        return True

    def _sign(self, publication: str) -> str:
        return f"{self._model}/.{publication}.lock"

    def _key(self, number: int, name: str) -> str:
        return f"{self._model}/versions/{number}/{name}"

    def _superseded(self) -> ReadsmithError:
        return ConflictError(
            "publication_superseded",
            f"Another attempt of {self._job_id} publishes model {self._model}.",
            "Look at that one.",
        )


def _with_card(manifest: Manifest, build: Path) -> Manifest:
    """Write the bundle's model card, and return the manifest that lists it, too."""
    write_card(manifest, build)
    card = {name: FileEntry.of(build / name) for name in CARD}
    return manifest.model_copy(update={"files": {**manifest.files, **card}})


def remove_garbage(objects: ObjectStore, records: ModelRecords, model: str) -> None:
    """Delete the files of numbers that are no versions of a model and never will be."""
    with suppress(OSError, StorageError):  # what stays is in nobody's way
        record = records.look(model)
        known = {*record.versions, *record.unfinished, *record.deleted}
        keys = objects.keys(f"{model}/versions")
        objects.delete(key for key in keys if _is_dead(key, known, record.given))


def retried(work: Callable[[], T]) -> T:
    """Do what can be done again until the storage answers, but not for ever."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return work()
        except StorageAwayError:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)


def _is_dead(key: str, known: set[int], given: int) -> bool:
    number = key.split("/")[2]
    return number.isdecimal() and int(number) <= given and int(number) not in known
