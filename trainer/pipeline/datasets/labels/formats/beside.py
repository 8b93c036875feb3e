"""Finds files beside images: 0017.gt.txt or 0017.txt beside 0017.png, as kraken has them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from shared.texts import shown
from trainer.pipeline.datasets.labels.formats.encodings import (
    WESTERN,
    UnknownEncodingError,
    decoded,
)
from trainer.pipeline.datasets.labels.found import FoundLabels
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
            # OCRopus and kraken: 0001.bin.png and 0001.nrm.png are of 0001.gt.txt.
            processed = str(path.with_name(PurePosixPath(path.stem).stem)) + ending
            if ending == ENDINGS[0] and processed in files:
                found[image] = processed
                break
    return found


def texts_beside(
    source: ImageSource, images: Sequence[str], beside: Mapping[str, str], found: FoundLabels
) -> Iterator[tuple[str, str | None]]:
    """Yield each image's name and the text of its file, None without one.

    What cannot be read, and in which encoding, is recorded in `found`.
    """
    guessed = []
    for image in images:
        if image not in beside:
            yield image, None
            continue
        try:
            text, encoding = decoded(source.read(beside[image]))
        except (UnreadableEntryError, UnknownEncodingError) as error:
            found.lacks_label(image, f"{shown(beside[image])} {error}.")
            continue
        if encoding == WESTERN:
            guessed.append((beside[image], text.strip()))
        yield image, _line(text)
    if guessed:
        name, text = guessed[0]
        found.warnings.append(
            f"{len(guessed)} text files are not UTF-8 and are read as {WESTERN}, as "
            f"{shown(name)}: {shown(text, 40)}. If letters are wrong, save them as UTF-8."
        )


def read_text(source: ImageSource, name: str) -> str | None:
    """Return the content of a text file without the line break at its end, None if unreadable."""
    try:
        text, _ = decoded(source.read(name))
    except (UnreadableEntryError, UnknownEncodingError):
        return None
    return _line(text)


def _line(text: str) -> str:
    return text.strip("\r\n").removeprefix("\ufeff")
