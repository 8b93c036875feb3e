"""The predictor's own SQLite files, shared by all its workers."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from shared.errors import StorageError

TIMEOUT_SECONDS = 10
"""How long to wait for another worker's write."""
PRIVATE = "PRAGMA auto_vacuum = FULL; PRAGMA secure_delete = ON;"
"""Deleted images are overwritten: SQLite would leave them in the file's free pages."""


@contextmanager
def open_sqlite(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """Open a file for one transaction; creates it and its folder if they are missing.

    Raises StorageError.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        with closing(sqlite3.connect(path, timeout=TIMEOUT_SECONDS)) as connection:
            connection.executescript(PRIVATE + schema)
            connection.row_factory = sqlite3.Row
            with connection:
                yield connection
    except (sqlite3.Error, OSError) as error:
        raise StorageError(
            f"{path} cannot be used: {error}.",
            "Check whether the disk is full and the folder is writable.",
        ) from error
