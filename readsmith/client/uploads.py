"""A zip as a multipart form that is read from disk while it is sent."""

import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 20


@contextmanager
def as_zip(path: Path) -> Iterator[Path]:
    """Give a zip as it is, a folder as a temporary zip of it."""
    if not path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="readsmith-") as folder:
        packed = Path(folder) / "dataset.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(path))
        yield packed


class ZipForm:
    """The form field `file`; raises OSError if the zip cannot be read.

    Requests sends an iterable with a length piece by piece, a file in `files=` only at once.
    """

    def __init__(self, path: Path) -> None:
        boundary = uuid.uuid4().hex
        self.headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        self._path = path
        self._head = (
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="file"; filename="dataset.zip"\r\n'
            "Content-Type: application/zip\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._length = len(self._head) + path.stat().st_size + len(self._tail)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        with self._path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
        yield self._tail
