"""Stores corrections while the trainer is unreachable, and sends them once it is back."""

import fcntl
import logging
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO

from predictor.feedback.sqlite import open_sqlite
from predictor.feedback.trainer_client import TrainerClient
from shared.errors import CorrectionRefusedError, ReadsmithError, UnavailableError

log = logging.getLogger("readsmith.predictor")

FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 60.0
"""Pauses between two tries while the trainer is unreachable: each is twice the one before."""
MAX_BYTES = 1_000_000_000
"""Of all waiting corrections together."""

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
    """Waiting corrections, one for each image of a model; shared by all workers.

    One worker at a time sends; if it ends or is killed, another takes over.
    """

    def __init__(self, folder: Path, trainer: TrainerClient) -> None:
        self._path = folder / FILE
        self._open = partial(open_sqlite, self._path, SCHEMA)
        self._trainer = trainer

    def start(self) -> None:
        """Start the thread that sends waiting corrections; call it after the fork."""
        threading.Thread(target=self._run, name="outbox", daemon=True).start()

    def add(self, model: str, sha256: str, correction: bytes) -> None:
        """Store a correction, in place of an earlier one of the same image.

        Raises ReadsmithError outbox_full or storage_failed.
        """
        with self._open() as database:
            (size,) = database.execute("SELECT sum(length(correction)) FROM outbox").fetchone()
            if (size or 0) + len(correction) > MAX_BYTES:
                raise UnavailableError(
                    "outbox_full",
                    f"The outbox is full: {MAX_BYTES:,} bytes of corrections wait for the trainer.",
                    "Start the trainer at READSMITH_TRAINER_URL.",
                )
            database.execute(
                "REPLACE INTO outbox (model, sha256, correction) VALUES (?, ?, ?)",
                (model, sha256, correction),
            )

    def discard(self, model: str, sha256: str) -> None:
        """Delete a waiting correction of an image, if there is one: a newer one is being sent."""
        # Most feedback never needs the outbox and should not create its file.
        if self._path.exists():
            with self._open() as database:
                database.execute(
                    "DELETE FROM outbox WHERE model = ? AND sha256 = ?", (model, sha256)
                )

    def deliver(self) -> None:
        """Send the waiting corrections, oldest first; raises TrainerAwayError at the first failure.

        Those that the trainer rejects for good are logged and deleted: they would block the rest.
        """
        while (row := self._oldest()) is not None:
            number, model, correction = row
            try:
                # With the predictor's own key: senders' keys are never stored.
                self._trainer.correct(model, correction)
            except CorrectionRefusedError as error:
                log.error("A correction of %s was rejected: %s", model, error.message)
            # By number: a correction of the same image that was stored meanwhile has another.
            with self._open() as database:
                database.execute("DELETE FROM outbox WHERE number = ?", (number,))

    def _oldest(self) -> Any:
        if not self._path.exists():
            return None
        with self._open() as database:
            return database.execute(
                "SELECT number, model, correction FROM outbox ORDER BY number LIMIT 1"
            ).fetchone()

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        with self._exclusive_lock():
            while True:
                try:
                    self.deliver()
                    pause = FIRST_PAUSE_SECONDS
                except ReadsmithError as error:
                    if pause == FIRST_PAUSE_SECONDS:
                        log.warning("Corrections wait. %s", error.message)
                    pause = min(2 * pause, MAX_PAUSE_SECONDS)
                time.sleep(pause)

    def _exclusive_lock(self) -> TextIO:
        """Wait until no other worker sends; the kernel releases the lock of a killed process."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._path.with_name(LOCK).open("w")
        fcntl.flock(file, fcntl.LOCK_EX)
        return file
