"""Reads and changes the records of models on an object storage."""

import random
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import ValidationError

from shared.errors import BundleError, StorageAwayError
from shared.store.manifest import MODEL_NAME_PATTERN
from shared.store.objects.bucket import Bucket, ChangedMeanwhileError, Content
from shared.store.objects.record import MOST_CHANGES, ModelRecord

RECORD = "model.json"
MOST_TRIES = 200
"""To change a record that others change all the time."""


@dataclass(frozen=True)
class Known:
    """A record as it was read, and the object that it was read from; None if there was none."""

    record: ModelRecord = field(default_factory=ModelRecord)
    content: Content | None = None


class ModelRecords:
    """The records of all models below the prefix of a bucket, as they were last seen."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._known: dict[str, Known] = {}
        self._has_conditions = False

    def models(self) -> list[str]:
        """Return the names of what may be models, sorted."""
        names = self._bucket.folders()
        return sorted(name for name in names if re.fullmatch(MODEL_NAME_PATTERN, name))

    def look(self, model: str) -> ModelRecord:
        """Return a model's record as it is now; raises BundleError if it is damaged."""
        return self._look(model).record

    def seen(self, model: str) -> ModelRecord | None:
        """Return a model's record as it was last seen or written here; None if it never was."""
        known = self._known.get(model)
        return known.record if known else None

    def last_seen(self) -> list[ModelRecord]:
        """Return the records that have been looked at."""
        return [known.record for known in list(self._known.values())]

    def change(self, model: str, change: Callable[[ModelRecord], ModelRecord]) -> ModelRecord:
        """Replace a model's record, and return it as it is then.

        change is called again where another writer was faster; what it raises ends it.
        """
        self.require_conditions()
        mark = uuid.uuid4().hex
        for _ in range(MOST_TRIES):
            known = self._look(model)
            if mark in known.record.changes:  # it was made, and the answer was lost
                return known.record
            changed = change(known.record)
            if changed == known.record:
                return changed
            changes = (*known.record.changes, mark)[-MOST_CHANGES:]
            changed = changed.model_copy(update={"changes": changes})
            try:
                content = self._bucket.put(
                    _key(model), changed.model_dump_json(indent=2).encode(), known.content
                )
            except ChangedMeanwhileError:
                time.sleep(random.uniform(0, 0.2))  # noqa: S311 - so that nobody is held up for long
                continue
            self._known[model] = Known(changed, content)
            return changed
        message = f"Model {model} is changed by so many others that no turn came."
        raise StorageAwayError(message, "Try again soon.")

    def require_conditions(self) -> None:
        """Raise StorageError, before anything is written, unless the storage can do it safely."""
        if not self._has_conditions:
            self._bucket.require_conditions()
            self._has_conditions = True

    def _look(self, model: str) -> Known:
        if not re.fullmatch(MODEL_NAME_PATTERN, model):
            return Known()
        known = self._known.get(model, Known())
        content = self._bucket.get(_key(model), known.content)
        if content is not known.content or content is None:
            known = (
                Known() if content is None else Known(parse_record(model, content.data), content)
            )
            self._known[model] = known
        return known


def _key(model: str) -> str:
    return f"{model}/{RECORD}"


def parse_record(model: str, data: bytes) -> ModelRecord:
    """Return the record that an object holds; raises BundleError."""
    try:
        return ModelRecord.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        message = f"{RECORD} of model {model} is not valid at {where[:100]}: {first['msg']}."
        raise BundleError(message, "current") from error
