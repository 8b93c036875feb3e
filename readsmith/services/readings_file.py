"""A file of readings to which a line is added for each image: also the memory of what was read."""

import csv
import fcntl
import io
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from readsmith.services.arrivals import Key
from shared.atomic_files import flush_folder
from shared.errors import SetupError
from shared.texts import csv_cell, printable, shown, text_of_cell

COLUMNS = (
    *("file", "bytes", "modified", "text", "confidence", "status", "reason", "detail"),
    *("model", "version", "read_at"),
)
HEADER = ",".join(COLUMNS)
MAX_LINE_BYTES = 1_000_000
BLOCK = 65_536

Row = dict[str, Any]
"""By column; None where there is nothing to say."""


class ReadingsFile:
    """Appends rows as CSV or JSON lines; each is on the disk before the next begins.

    A line that a crash has cut off is removed, so its image is read again. known: the files that
    have a row; last_accepted: the text of the last row accepted.

    Raises SetupError output_unusable if another process writes to it, or if it holds anything but
    such rows; OSError if the disk takes no more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._csv = path.suffix == ".csv"
        self.known: set[Key] = set()
        self.last_accepted: str | None = None
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            self._lock()
            self._cut_half_line()
            self._recall()
            if self._csv and os.fstat(self._file).st_size == 0:
                self._write(HEADER + "\n")
            flush_folder(path.absolute().parent)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def append(self, row: Row) -> None:
        """Write a row to the disk; raises OSError, and then leaves at most half a line."""
        self._write(self._line(row))
        self._remember(row)

    def _remember(self, row: Row) -> None:
        self.known.add((row["file"], row["bytes"], row["modified"]))
        if row["status"] == "accepted":
            self.last_accepted = row["text"]

    def _line(self, row: Row) -> str:
        if not self._csv:
            return json.dumps({name: row[name] for name in COLUMNS}, ensure_ascii=False) + "\n"
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator="\n").writerow(_cell(row[name]) for name in COLUMNS)
        return line.getvalue()

    def _write(self, line: str) -> None:
        data = line.encode()
        while data:
            data = data[os.write(self._file, data) :]
        os.fsync(self._file)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(
                "output_unusable",
                f"Another process writes to {self._path}.",
                "End it, or name another file with --to.",
            ) from None

    def _cut_half_line(self) -> None:
        """Cut what stands behind the last line break."""
        size = end = os.fstat(self._file).st_size
        while end:
            begin = max(0, end - BLOCK)
            at = os.pread(self._file, end - begin, begin).rfind(b"\n")
            if at >= 0:
                end = begin + at + 1
                break
            end = begin
        if end < size:
            os.ftruncate(self._file, end)
            os.fsync(self._file)

    def _recall(self) -> None:
        """Remember every row; raises SetupError for a line that is none."""
        with self._path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                    if not self._csv:
                        self._remember(json.loads(text))
                    elif number > 1:
                        self._remember(_of_cells(next(csv.reader([text]))))
                    elif text.rstrip("\r\n") != HEADER:
                        raise ValueError("it has other columns")
                except (ValueError, LookupError, TypeError, csv.Error, RecursionError):
                    raise SetupError(
                        "output_unusable",
                        f"Line {number} of {self._path} is not one of readsmith watch.",
                        "Name another file with --to, or mend this one.",
                    ) from None


def _of_cells(cells: list[str]) -> Row:
    row: Row = dict(zip(COLUMNS, map(text_of_cell, cells), strict=True))
    return row | {"bytes": int(row["bytes"])}


def _cell(value: object) -> object:
    """Return a value as a cell without line breaks; None becomes an empty one."""
    if not isinstance(value, str):
        return value
    return csv_cell(value if printable(value) else shown(value, None))
