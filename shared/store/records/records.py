"""Reads the records of models, and replaces them on condition."""

import random
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import ValidationError

from shared.errors import BundleError, StorageAwayError
from shared.store.manifest import MAX_MODEL_NAME, MODEL_NAME_PATTERN, first_fault
from shared.store.objects.interface import ChangedMeanwhileError, Content, ObjectStore
from shared.store.records.earlier_layout import EarlierLayout
from shared.store.records.record import MOST_CHANGES, ModelRecord

RECORD = "model.json"
DEFAULT = "DEFAULT_MODEL"
"""The object that names the model for requests that name none; no model can be called so."""
MOST_TRIES = 200
"""To change a record that others change all the time."""
MAX_PAUSE = 0.2
"""Seconds between two tries: by chance, so that nobody is held up for long."""


@dataclass(frozen=True)
class Known:
    """A record as it was read, and the object that it was read from; None if there was none."""

    record: ModelRecord = field(default_factory=ModelRecord)
    content: Content | None = None


class ModelRecords:
    """The records of all models in a folder or a bucket, as they were last seen.

    earlier: the files that tell of a model without model.json, where there may be such.
    """

    def __init__(self, objects: ObjectStore, earlier: EarlierLayout | None = None) -> None:
        self._objects = objects
        self._earlier = earlier
        self._known: dict[str, Known] = {}
        self._default: Content | None = None
        self._has_conditions = False

    def models(self) -> list[str]:
        """Return the names of what may be models, sorted."""
        names = self._objects.folders()
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

    def default(self) -> str | None:
        """Return the model that was chosen as the default, whether it is there or not."""
        content = self._default = self._objects.get(DEFAULT, self._default)
        text = content.data.decode("utf-8", "replace").strip() if content else ""
        return text[:MAX_MODEL_NAME] or None

    def set_default(self, model: str | None) -> None:
        """Note the default model; None: none is chosen."""
        if model is None:
            self._objects.delete([DEFAULT])
        else:
            self._objects.write(DEFAULT, f"{model}\n".encode())

    def change(self, model: str, change: Callable[[ModelRecord], ModelRecord]) -> ModelRecord:
        """Replace a model's record, and return it as it is then.

        change is called again where another writer was faster; what it raises ends it.
        """
        self.require_conditions()
        mark = uuid.uuid4().hex
        for tries in range(MOST_TRIES):
            known = self._look(model)
            if mark in known.record.changes:  # it was made, and the answer was lost
                return known.record
            changed = change(known.record)
            if changed == known.record:
                return changed
            changes = (*known.record.changes, mark)[-MOST_CHANGES:]
            changed = changed.model_copy(update={"changes": changes})
            try:
                content = self._objects.put(
                    _key(model), changed.model_dump_json(indent=2).encode(), known.content
                )
            except ChangedMeanwhileError:
                time.sleep(random.uniform(0, min(MAX_PAUSE, 0.01 * 2**tries)))  # noqa: S311
                continue
            self._known[model] = Known(changed, content)
            if known.content is None and self._earlier is not None:
                self._earlier.remove(model)
            return changed
        message = f"Model {model} is changed by so many others that no turn came."
        raise StorageAwayError(message, "Try again soon.")

    def require_conditions(self) -> None:
        """Raise StorageError, before anything is written, unless the storage can do it safely."""
        if not self._has_conditions:
            self._objects.require_conditions()
            self._has_conditions = True

    def _look(self, model: str) -> Known:
        if not re.fullmatch(MODEL_NAME_PATTERN, model):
            return Known()
        known = self._known.get(model, Known())
        content = self._content(model, known.content)
        if content is None:
            self._known.pop(model, None)
            return Known(self._earlier.record(model)) if self._earlier else Known()
        if content is not known.content:
            known = self._known[model] = Known(parse_record(model, content.data), content)
        return known

    def _content(self, model: str, known: Content | None) -> Content | None:
        try:
            return self._objects.get(_key(model), known)
        except OSError as error:
            message = f"{RECORD} of model {model} cannot be read: {error.strerror}."
            raise BundleError(message, "current") from error


def _key(model: str) -> str:
    return f"{model}/{RECORD}"


def parse_record(model: str, data: bytes) -> ModelRecord:
    """Return the record that an object holds; raises BundleError."""
    try:
        return ModelRecord.model_validate_json(data)
    except ValidationError as error:
        message = f"{RECORD} of model {model} is not valid at {first_fault(error)}."
        in_settings = error.errors()[0]["loc"][:1] == ("settings",)
        raise BundleError(message, "settings" if in_settings else "current") from error
