"""Keeps corrections while the trainer is away, and hands them over once it is back."""

import fcntl
import logging
import sqlite3
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, TextIO

from predictor.feedback.sqlite import open_sqlite
from predictor.feedback.trainer_client import TrainerClient
from shared.errors import CorrectionRefusedError, ReadsmithError, UnavailableError

log = logging.getLogger("readsmith.predictor")

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
"""Between two tries while the trainer is away: each pause is twice the one before."""
MOST_BYTES = 1_000_000_000
"""Of all corrections that wait."""

FILE: Final = "outbox.sqlite"
LOCK: Final = "sending.lock"
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    model TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    correction BLOB NOT NULL,
    UNIQUE (model, sha256)
);
"""


class Outbox:
    """Corrections that wait, one for each image of a model; shared by all workers.

    One worker at a time sends; another takes over where it ends, be it killed.
    """

    def __init__(self, folder: Path, trainer: TrainerClient) -> None:
        self._folder = folder
        self._trainer = trainer

    def start(self) -> None:
        """Begin to hand over what waits, in a thread; call it after the fork."""
        threading.Thread(target=self._run, name="outbox", daemon=True).start()

    def add(self, model: str, sha256: str, correction: bytes) -> None:
        """Keep a correction in place of an earlier one of the image.

        Raises ReadsmithError outbox_full or storage_failed.
        """
        with self._open() as database:
            (size,) = database.execute("SELECT sum(length(correction)) FROM outbox").fetchone()
            if (size or 0) + len(correction) > MOST_BYTES:
                raise UnavailableError(
                    "outbox_full",
                    f"{MOST_BYTES:,} bytes of corrections wait for the trainer already.",
                    "Start the trainer: READSMITH_TRAINER_URL says where it is looked for.",
                )
            database.execute(
                "REPLACE INTO outbox (model, sha256, correction) VALUES (?, ?, ?)",
                (model, sha256, correction),
            )

    def discard(self, model: str, sha256: str) -> None:
        """Drop the correction of an image that waits, if one does: there is a newer one."""
        if (self._folder / FILE).exists():
            with self._open() as database:
                database.execute(
                    "DELETE FROM outbox WHERE model = ? AND sha256 = ?", (model, sha256)
                )

    def deliver(self) -> None:
        """Hand over what waits, the oldest first; raises TrainerAwayError at the first failure.

        What the trainer will never take is dropped, and said in the log.
        """
        while (row := self._oldest()) is not None:
            number, model, correction = row
            try:
                self._trainer.correct(model, correction)
            except CorrectionRefusedError as error:
                log.error("A correction of %s was refused: %s", model, error.message)
            with self._open() as database:  # a newer one of the image has another number
                database.execute("DELETE FROM outbox WHERE number = ?", (number,))

    def _oldest(self) -> Any:
        if not (self._folder / FILE).exists():
            return None
        with self._open() as database:
            return database.execute(
                "SELECT number, model, correction FROM outbox ORDER BY number LIMIT 1"
            ).fetchone()

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return open_sqlite(self._folder / FILE, SCHEMA)

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        with self._turn():
            while True:
                try:
                    self.deliver()
                    pause = FIRST_PAUSE_SECONDS
                except ReadsmithError as error:
                    if pause == FIRST_PAUSE_SECONDS:
                        log.warning("Corrections wait. %s", error.message)
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                time.sleep(pause)

    def _turn(self) -> TextIO:
        """Wait until no other worker sends; the lock ends with the file, or with the process."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (self._folder / LOCK).open("w")
        fcntl.flock(file, fcntl.LOCK_EX)
        return file
