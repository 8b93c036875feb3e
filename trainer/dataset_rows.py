"""An upload's row, and which uploads the jobs still need."""

from typing import Any

from sqlalchemy import Connection, Row, select

from shared.errors import ReadsmithError
from trainer.database import datasets, jobs
from trainer.jobs import Status


def find_dataset(connection: Connection, upload_id: str, *, lock: bool = False) -> Row[Any]:
    """Return the upload's row; raises ReadsmithError dataset_not_found.

    lock: the upload is not deleted, and no job is queued for it, until this transaction ends.
    """
    query = select(datasets).where(datasets.c.id == upload_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise dataset_not_found(upload_id)
    return row


def datasets_in_use(connection: Connection) -> set[str]:
    """Return the uploads that queued or running jobs need; lock theirs first."""
    id_of = jobs.c.request[("dataset", "id")].as_string()
    unfinished = jobs.c.status.in_([Status.QUEUED, Status.RUNNING])
    return set(connection.scalars(select(id_of).where(unfinished, id_of.is_not(None))))


def dataset_not_found(upload_id: str) -> ReadsmithError:
    """Say that there is no such upload, or no more."""
    return ReadsmithError(
        "dataset_not_found",
        f"There is no dataset {upload_id}.",
        "POST /datasets takes a zip and answers with its id.",
    )
