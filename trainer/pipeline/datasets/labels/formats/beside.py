"""Finds texts beside images: 0017.gt.txt or 0017.txt beside 0017.png, as kraken has them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from shared.errors import DatasetError
from trainer.pipeline.datasets.labels.formats.encodings import UnknownEncodingError, decoded
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.source import ImageSource

ENDINGS = (".gt.txt", ".txt")
"""The first that is there is taken."""
_BOXES = re.compile(r"\d{1,4}( -?\d*\.?\d+){4,}")
SAMPLED_TEXTS = 20


def texts_beside(names: Sequence[str], images: Sequence[str]) -> dict[str, str]:
    """Return the text file of each image that has one.

    In the same folder, else the only one of that name, as in images/ and labels/.
    """
    files = {name for name in names if name.lower().endswith(ENDINGS)}
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
        for ending in ENDINGS:
            beside = str(path.with_suffix("")) + ending
            elsewhere = bases.get(path.stem + ending, [])
            if beside in files:
                found[image] = beside
                break
            if len(elsewhere) == 1 and stems[path.stem] == 1:
                found[image] = elsewhere[0]
                break
    return found


def require_texts(source: ImageSource, beside: Mapping[str, str]) -> None:
    """Raise ReadsmithError labels_not_found for files of boxes, as YOLO has them."""
    some = [name for _, name in zip(range(SAMPLED_TEXTS), beside.values(), strict=False)]
    lines = [(read_text(source, name) or "").strip().split("\n")[0] for name in some]
    if lines and all(_BOXES.fullmatch(line.strip()) for line in lines):
        raise DatasetError(
            "labels_not_found",
            f"The text files beside the images, as {some[0]}, hold boxes (YOLO) and no texts.",
            "Cut each line of text out as an image, and list the texts in a labels.csv with the "
            "columns filename,text.",
        )


def read_text(source: ImageSource, name: str) -> str | None:
    """Return the content of a text file without the line break at its end, None if unreadable."""
    try:
        text, _ = decoded(source.read(name))
    except (UnreadableEntryError, UnknownEncodingError):
        return None
    return text.strip("\r\n").removeprefix("\ufeff")
