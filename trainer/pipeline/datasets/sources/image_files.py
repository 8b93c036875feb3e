"""Which files of a dataset are its images, and how large each may be."""

import posixpath
from pathlib import PurePosixPath

IMAGE_ENDINGS = frozenset(
    f".{ending}"
    for ending in (
        *("png", "jpg", "jpeg", "jpe", "jfif", "gif", "bmp", "webp", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm", "avif"),
        *("heic", "heif", "hif"),  # read with an extra, else named with what to do
    )
)
MAX_ENTRY_BYTES = 50_000_000


class UnreadableEntryError(Exception):
    """An entry that cannot be read; the message says why."""


def is_image(name: str) -> bool:
    """Return whether a file is an image, by its suffix."""
    return posixpath.splitext(name)[1].lower() in IMAGE_ENDINGS


def visible(path: PurePosixPath) -> bool:
    """Return whether a file belongs to the user's data: not hidden, not added by macOS."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def require_small(size: int) -> None:
    """Raise UnreadableEntryError for a file larger than any image needs to be."""
    if size > MAX_ENTRY_BYTES:
        raise UnreadableEntryError(f"is larger than {MAX_ENTRY_BYTES:,} bytes")
