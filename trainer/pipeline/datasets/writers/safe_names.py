"""Gives images names that every file system and every list can hold, each name once."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import PurePosixPath

LONGEST = 200
"""Bytes of a folder's or file's name: 255 with what is put behind it."""
LONGEST_PATH = 1000
_UNSAFE = re.compile(r'[:*?"<>|]')
"""What Windows takes in no name."""
_FILES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".tar")
"""Folders are not to look like such files."""


def safe_names(names: Iterable[str], lists: Sequence[str]) -> dict[str, str]:
    """Return the new path of each image: its own, where that will do.

    lists: the files of labels: an image of such a stem would hide its list. Without any, each
    image has a text file beside it, so that images must differ in more than the ending.
    """
    wanted = {name: _safe(name) for name in names}
    stems = {PurePosixPath(name).stem for name in lists}
    taken = {_key(str(f)) for name in wanted.values() for f in PurePosixPath(name).parents}
    chosen = {}
    for name, safe in wanted.items():
        for path in _candidates(PurePosixPath(safe)):
            beside = () if lists else (path.with_suffix(".gt.txt"),)
            keys = {_key(str(each)) for each in (path, *beside)}
            if path.stem.lower() not in stems and taken.isdisjoint(keys):
                break
        taken |= keys
        chosen[name] = str(path)
    return chosen


def _candidates(path: PurePosixPath) -> Iterator[PurePosixPath]:
    yield path
    yield from (path.with_stem(f"{path.stem}-{number}") for number in count(2))


def _key(name: str) -> str:
    """Return what is the same for names that some file system takes for one."""
    return unicodedata.normalize("NFC", name).casefold()


def _safe(name: str) -> str:
    *folders, base = _UNSAFE.sub("_", name.replace("\\", "/")).split("/")
    stem, suffix = PurePosixPath(base).stem, PurePosixPath(base).suffix
    if stem.endswith(".gt"):  # a.gt.txt would be the text of a.png and of a.gt.png
        stem = f"{stem.removesuffix('.gt')}_gt"
    file = f"{_part(stem) or '_'}{suffix}"
    path = "/".join([*filter(None, map(_folder, folders)), file])
    return path if len(path.encode()) <= LONGEST_PATH else file


def _folder(name: str) -> str:
    folder = _part(name)
    return f"{folder}_" if folder.lower().endswith(_FILES) else folder


def _part(name: str) -> str:
    """Return one name of a path, empty for those that lead nowhere or out."""
    part = name.encode()[:LONGEST].decode(errors="ignore").strip().rstrip(". ")
    # Hidden, or as a cell is escaped from spreadsheets.
    return f"_{part[1:]}" if part.startswith((".", "'")) else part
