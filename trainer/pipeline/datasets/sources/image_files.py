"""Which files of a set are its images, and how large each may be."""

from pathlib import PurePosixPath

IMAGE_ENDINGS = frozenset(
    f".{ending}"
    for ending in (
        *("png", "jpg", "jpeg", "jpe", "jfif", "gif", "bmp", "webp", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm"),
    )
)
MAX_ENTRY_BYTES = 50_000_000


class UnreadableEntryError(Exception):
    """One entry cannot be read; the message says why."""


def is_image(name: str) -> bool:
    """Tell whether a file is an image, by its ending."""
    return PurePosixPath(name).suffix.lower() in IMAGE_ENDINGS


def visible(path: PurePosixPath) -> bool:
    """Tell whether a file is meant to be seen: no part of its path is hidden or a Mac's own."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def require_small(size: int) -> None:
    """Raise UnreadableEntryError for a file that no image needs to be as large as."""
    if size > MAX_ENTRY_BYTES:
        raise UnreadableEntryError(f"is larger than {MAX_ENTRY_BYTES:,} bytes")
