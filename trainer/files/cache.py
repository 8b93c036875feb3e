"""Keeps the folder of downloads from growing for ever."""

import fcntl
import logging
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("trainer.files.cache")


def limit_cache(folder: Path, max_bytes: int) -> None:
    """Remove the files that were not used for longest until the others have max_bytes at most.

    A file counts as used when it was last modified or touched; one that another process or thread
    is downloading is left, as the lock on it tells.
    """
    found: list[tuple[float, int, Path]] = []
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):  # another job took it away
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    total = 0
    for _, size, path in sorted(found, reverse=True):
        total += size
        if total > max_bytes and not _is_locked(path):
            path.unlink(missing_ok=True)
            log.info("Removed the download %s: %d bytes.", path.name, size)


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
