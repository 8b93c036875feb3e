"""Finds files beside images: 0017.gt.txt or 0017.txt beside 0017.png, as kraken has them."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from trainer.pipeline.datasets.labels.formats.encodings import UnknownEncodingError, decoded
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.source import ImageSource

ENDINGS = (".gt.txt", ".txt")
"""The first that is there is taken."""


def files_beside(
    names: Sequence[str], images: Sequence[str], endings: tuple[str, ...] = ENDINGS
) -> dict[str, str]:
    """Return the file of such an ending of each image that has one.

    In the same folder, else the only one of that name, as in images/ and labels/.
    """
    files = {name for name in names if name.lower().endswith(endings)}
    if not files:
        return {}
    bases: dict[str, list[str]] = {}
    for name in files:
        bases.setdefault(PurePosixPath(name).name, []).append(name)
    stems: dict[str, int] = {}
    for image in images:
        stem = PurePosixPath(image).stem
        stems[stem] = stems.get(stem, 0) + 1
    found = {}
    for image in images:
        path = PurePosixPath(image)
        for ending in endings:
            beside = str(path.with_suffix("")) + ending
            elsewhere = bases.get(path.stem + ending, [])
            if beside in files:
                found[image] = beside
                break
            if len(elsewhere) == 1 and stems[path.stem] == 1:
                found[image] = elsewhere[0]
                break
    return found


def read_text(source: ImageSource, name: str) -> str | None:
    """Return the content of a text file without the line break at its end, None if unreadable."""
    try:
        text, _ = decoded(source.read(name))
    except (UnreadableEntryError, UnknownEncodingError):
        return None
    return text.strip("\r\n").removeprefix("\ufeff")
