"""Labels that people give to the images of living datasets, several people at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from shared.api.labelling import ChangedLabels, ImageState
from shared.errors import LabelsChangedError
from shared.texts import shown
from trainer.database.datasets.images import count_change, image_not_found, image_of
from trainer.database.datasets.learnings import is_due, queue_learning
from trainer.database.datasets.living import living_row
from trainer.database.tables import Database, dataset_images, now
from trainer.schemas.labelling import LabelChange

LABELLED = [state for state in ImageState if state.has_label]
NAMED = 3
"""So many images are named in a message."""

_columns = dataset_images.c


class Labels:
    """Changes labels; never one that was changed since it was looked at."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def change(
        self, dataset_id: str, changes: Sequence[LabelChange], by: str | None
    ) -> ChangedLabels:
        """Change all of them, or none, and queue a learning now and then.

        What is as wanted already is no change, so a request may be sent twice. Raises
        ReadsmithError: labels_changed, which shows the images that are not as they were looked at;
        image_not_found, dataset_not_found and dataset_frozen.
        """
        with self._database.writing.begin() as connection:
            # Locked: no other change comes between the look at the versions and the new labels.
            version = living_row(connection, dataset_id, lock=True).version
            rows = _rows(connection, dataset_id, [change.id for change in changes])
            wanted = [change for change in changes if not _is_done(rows[change.id], change)]
            _require_unchanged(rows, wanted)
            before = _labelled(connection, dataset_id)
            for change in wanted:
                row = rows[change.id]
                changed = update(dataset_images).where(_columns.id == row.id)
                connection.execute(changed.values(_values(row, change, by)))
            if wanted:
                version += 1
                count_change(connection, dataset_id)
            if is_due(before, _labelled(connection, dataset_id)):
                queue_learning(connection, dataset_id)
            rows = _rows(connection, dataset_id, list(rows))
        return ChangedLabels(data=[image_of(rows[c.id]) for c in changes], version=version)


def _rows(connection: Connection, dataset_id: str, ids: Sequence[str]) -> dict[str, Row[Any]]:
    ours = (_columns.dataset_id == dataset_id) & _columns.id.in_(ids)
    rows = {row.id: row for row in connection.execute(select(dataset_images).where(ours))}
    for image_id in ids:
        if image_id not in rows:
            raise image_not_found(dataset_id, image_id)
    return rows


def _state(row: Row[Any], change: LabelChange) -> ImageState:
    """Return the state that a change leads to: without its label, an image has its proposal."""
    if change.state is ImageState.UNLABELLED and row.proposal is not None:
        return ImageState.PROPOSED
    return change.state


def _is_done(row: Row[Any], change: LabelChange) -> bool:
    return (row.state, row.text) == (_state(row, change), change.text)


def _require_unchanged(rows: Mapping[str, Row[Any]], changes: Iterable[LabelChange]) -> None:
    since = [rows[change.id] for change in changes if rows[change.id].version != change.version]
    if not since:
        return
    named = ", ".join(map(_told, since[:NAMED]))
    more = f" and {len(since) - NAMED} more" if len(since) > NAMED else ""
    raise LabelsChangedError(
        f"Somebody else has changed {named}{more}; nothing is changed now.",
        [image_of(row).model_dump(mode="json") for row in since],
    )


def _told(row: Row[Any]) -> str:
    what = f"to {shown(row.text, 60)!r}" if row.text is not None else f"to {row.state}"
    return f"{shown(row.name, 60)} {what}" + (f" ({row.by})" if row.by else "")


def _values(row: Row[Any], change: LabelChange, by: str | None) -> dict[str, Any]:
    state = _state(row, change)
    is_settled = state.is_settled
    return {
        "state": state,
        "text": change.text,
        "by": by if is_settled else None,
        "at": now() if is_settled else None,
        "random": change.random and is_settled,
        "version": row.version + 1,
    }


def _labelled(connection: Connection, dataset_id: str) -> int:
    ours = (_columns.dataset_id == dataset_id) & _columns.state.in_(LABELLED)
    return connection.scalar(select(func.count()).where(ours)) or 0
