"""What a user is told when a disk is full or a folder cannot be used."""

import errno
from pathlib import Path

from shared.errors import DiskFullError, StorageError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
UNUSABLE = {
    errno.EACCES,
    errno.EIO,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
    errno.ESTALE,
}


def storage_error(error: OSError) -> DiskFullError | StorageError | None:
    """Put a failure of the disk into words (disk_full, storage_unavailable); None for any other.

    The file is named, but not its folder: strangers may read this.
    """
    name = Path(str(error.filename or "a file")).name
    if error.errno in FULL:
        return DiskFullError(
            "disk_full",
            f"No room is left on the trainer's disk for {name}.",
            "Make room in the folders READSMITH_STATE and READSMITH_STORE, then try again.",
        )
    if error.errno in UNUSABLE:
        return StorageError(
            f"The trainer's disk cannot be used: {name}: {error.strerror}.",
            "See that the folders READSMITH_STATE and READSMITH_STORE are there "
            "and can be written to.",
        )
    return None
