"""Finds the files that lists of labels name."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import takewhile
from pathlib import PurePosixPath
from urllib.parse import unquote

from shared.texts import shown, text_of_cell
from trainer.pipeline.datasets.labels.label_row import PART_NAMES, LabelRow, Part
from trainer.pipeline.datasets.sources.image_files import is_image

MOST_ALIKE = 100
"""Of more files with one base name, only a whole path tells which is meant."""

_Index = dict[str, list[str]]
"""Paths by what their base names have in common."""


class NamedFiles:
    """The files of a set, found by what a list calls them.

    First as they are called; where no file has that name, in other case, with %20 for a space,
    and images without their ending, as long as only one file can be meant.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.differing: Counter[str] = Counter()
        """How many names were not exactly those of the files, by what differed."""
        self._names = set(names)
        self._by_base = _index(names, _base)

    @cached_property
    def _by_folded(self) -> _Index:
        return _index(self.names, lambda name: _folded(_base(name)))

    @cached_property
    def _by_stem(self) -> _Index:
        return _index(filter(is_image, self.names), lambda name: _folded(_stem(name)))

    def resolve(self, row: LabelRow) -> str | None:
        """Return the path that a row names.

        Relative to its list's folder or to one around it, else the only file whose path ends as
        the row's does.
        """
        return self.find(row.manifest, row.filename, count=True)

    def find(self, manifest: str, filename: str, *, count: bool = False) -> str | None:
        """Return the path of the file that a list calls so, None if none or several could be."""
        # As it is first: a file may be named as cells are escaped.
        for name in dict.fromkeys((filename, text_of_cell(filename))):
            path = _listed(name)
            # Its own folder first: train/ and test/ may hold files of the same names.
            for folder in PurePosixPath(manifest).parents:
                if (exact := (folder / path).as_posix()) in self._names:
                    return exact
            candidates = self._candidates(manifest, path)
            if len(candidates) == 1:
                if count:
                    self._count(path.name, _base(candidates[0]))
                return candidates[0]
        return None

    def why_none(self, row: LabelRow) -> str:
        """Return why a row names no file, or none for sure."""
        if not row.filename:
            return "names no image"
        candidates = self.meant(row)
        if not candidates:
            return "names no file here"
        first, second = map(shown, candidates[:2])
        return f"may mean {first} or {second}: give the path"

    def meant(self, row: LabelRow) -> list[str]:
        """Return all files that a row may mean."""
        return self._candidates(row.manifest, _listed(row.filename))

    def _candidates(self, manifest: str, path: PurePosixPath) -> list[str]:
        """Return the files of this base name that share the most folders with the path."""
        if not path.name:
            return []
        folded = _folded(path.name)
        found = (
            self._by_base.get(path.name)
            or self._by_folded.get(folded)
            or self._by_folded.get(_folded(unquote(path.name)))
            or ([] if is_image(path.name) else self._by_stem.get(folded, []))
        )
        return found if len(found) > MOST_ALIKE else _nearest(manifest, path, found)

    def _count(self, listed: str, base: str) -> None:
        if listed == base:
            return
        if _folded(listed) == _folded(base):
            what = "in upper and lower case or in how accents are written"
        elif _folded(unquote(listed)) == _folded(base):
            what = "in being written for web addresses (%20)"
        else:
            what = "in lacking the ending"
        self.differing[what] += 1


def _nearest(manifest: str, path: PurePosixPath, found: list[str]) -> list[str]:
    # What is listed for train/ and is missing there is not the file of that name in test/.
    part = _parts_named(PurePosixPath(manifest).parent / path)
    if not part and len(found) < 2:
        return found
    named = ((name, _parts_named(PurePosixPath(name))) for name in found)
    found = [name for name, parts in named if not parts or part <= parts]
    if len(found) < 2:
        return found
    shared = [_shared_end(PurePosixPath(name), path) for name in found]
    found = [name for name, n in zip(found, shared, strict=True) if n == max(shared)]
    for folder in PurePosixPath(manifest).parents:
        if below := [name for name in found if PurePosixPath(name).is_relative_to(folder)]:
            return below
    return found


def _index(names: Iterable[str], key: Callable[[str], str]) -> _Index:
    index: _Index = {}
    for name in names:
        index.setdefault(key(name), []).append(name)
    return index


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name[:MAX_FOLDED]).casefold()


MAX_FOLDED = 1000
"""Characters; no file's name is longer, and composing endless marks takes long."""


def _listed(filename: str) -> PurePosixPath:
    return PurePosixPath(filename.replace("\\", "/"))  # lists written on Windows


def _parts_named(path: PurePosixPath) -> set[Part]:
    folders = (folder.lower() for folder in path.parent.parts)
    return {PART_NAMES[folder] for folder in folders if folder in PART_NAMES}


def _shared_end(a: PurePosixPath, b: PurePosixPath) -> int:
    """Count the parts in which two paths agree from their ends on."""
    pairs = zip(reversed(a.parts), reversed(b.parts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
