"""Publishing on an object storage: number, files, manifest, then the record that lists them."""

import hashlib
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from shared.errors import ConflictError, ReadsmithError, StorageAwayError, StorageError
from shared.store.manifest import MANIFEST, FileEntry, Manifest
from shared.store.objects.bucket import Bucket
from shared.store.objects.record import Listed, ModelRecord, Unfinished
from shared.store.objects.records import ModelRecords

ABANDONED = timedelta(days=1)
"""A publication that began longer ago was cut off."""
TIMEOUT_SECONDS = 300.0
"""How long a publication waits for a storage that is away: training took longer."""
PAUSE_SECONDS = 5.0

T = TypeVar("T")


class Publication:
    """One attempt to publish what lies below a folder as a model's next version."""

    def __init__(self, bucket: Bucket, records: ModelRecords, model: str, job_id: str) -> None:
        self._bucket = bucket
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
        number = self._number()
        try:
            names = sorted(p.relative_to(build).as_posix() for p in build.rglob("*") if p.is_file())
            files = {self._key(number, name): build / name for name in names}
            retried(lambda: self._bucket.send(files))
            manifest = make_manifest(number, {name: FileEntry.of(build / name) for name in names})
            data = manifest.model_dump_json(indent=2).encode()
            may_publish()  # again: sending takes its time
            retried(lambda: self._bucket.write(self._key(number, MANIFEST), data))
            listed = Listed(manifest_sha256=hashlib.sha256(data).hexdigest(), job_id=self._job_id)
            retried(lambda: self._list(number, listed, change))
        except Exception:
            if not self._taken_back(number):
                return manifest
            raise
        return manifest

    def remove_garbage(self) -> None:
        """Delete the files of numbers that are no versions and never will be."""
        with suppress(StorageError):  # what stays is in nobody's way
            record = self._records.look(self._model)
            known = {*record.versions, *record.unfinished}
            keys = self._bucket.sizes(f"{self._model}/versions")
            self._bucket.delete(key for key in keys if _is_dead(key, known, record.given))

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
        abandoned = datetime.now(UTC) - ABANDONED

        def publish(record: ModelRecord) -> ModelRecord:
            if number in record.versions:
                return record
            if number not in record.unfinished:
                raise self._superseded()
            left = [n for n, one in record.unfinished.items() if one.since < abandoned]
            return change(record.published(number, listed).without_unfinished(left), number)

        return self._records.change(self._model, publish)

    def _taken_back(self, number: int) -> bool:
        """Give the number back and delete its files, as far as the storage can be reached.

        False if the version has been published after all: the answer was lost.
        """
        try:
            record = self._records.change(self._model, lambda r: r.without_unfinished({number}))
            if number in record.versions:
                return False
            self._bucket.delete(self._bucket.sizes(f"{self._model}/versions/{number}"))
        except StorageError:
            pass  # a later publication removes it
        return True

    def _key(self, number: int, name: str) -> str:
        return f"{self._model}/versions/{number}/{name}"

    def _superseded(self) -> ReadsmithError:
        return ConflictError(
            "publication_superseded",
            f"Another attempt of {self._job_id} publishes model {self._model}.",
            "Look at that one.",
        )


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
