"""What must stay on one side of a split: the user's own parts, groups, and near-duplicates."""

import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.labels.found import FoundLabels
from trainer.pipeline.datasets.labels.label_row import PART_NAMES, Part
from trainer.pipeline.datasets.parts.near_duplicates import near_duplicates

MIN_FOLDERS, LARGEST_FOLDER = 10, 0.2
"""So many folders, none with a greater share of the images, are taken to be sources of images."""
MIN_RANDOM = 20
"""So many images in random order are enough to measure with them alone."""

Numbers = NDArray[np.intp]
"""A number for each image, the same for those that belong together."""


@dataclass(frozen=True)
class Sides:
    """For each image of a table its own part, and numbers of what it stays together with."""

    parts: NDArray[np.int8]
    """The user's own, a Part; training where the user says nothing."""
    alike: Numbers
    """The same for near-duplicates."""
    groups: Numbers
    """The same within a group of the user's."""
    units: Numbers
    """The same for images that stay on one side: groups and near-duplicates together."""
    measures: NDArray[np.bool_]
    """Whether the image may be held out to measure with."""
    parts_from: str = ""
    """Where the user's own parts come from; empty if there are none."""
    groups_from: str = ""

    @classmethod
    def free(cls, count: int) -> "Sides":
        """Return the sides of images that have nothing to do with each other."""
        each = np.arange(count)
        return cls(np.zeros(count, np.int8), each, each, each, np.ones(count, np.bool_))

    @classmethod
    def of(cls, images: ImageTable, found: FoundLabels) -> "Sides":
        """Find what belongs together, by the label files, the folders and the look."""
        parts, parts_from = _own_parts(images, found)
        # Folders that are parts are not sources.
        groups, groups_from = _groups(images, found, by_folder=not parts_from.startswith("folders"))
        pairs = list(near_duplicates(images))
        alike = _united(np.arange(len(images)), pairs)
        units = _united(groups, pairs)
        measures = measuring(images, found, units)
        return cls(parts, alike, groups, units, measures, parts_from, groups_from)

    @property
    def chosen(self) -> int:
        """The number of images that were labelled because of what they are: none measures."""
        return int((~self.measures).sum())


def repeated(numbers: Numbers) -> NDArray[np.bool_]:
    """Return which images share their number with another."""
    _, place, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return np.asarray(counts[place] > 1)


def measuring(images: ImageTable, found: FoundLabels, units: Numbers) -> NDArray[np.bool_]:
    """Return which images may measure: those labelled in random order, if these are enough.

    People label first what a model reads badly, so that the others say too little good of it.
    """
    in_order = (found.labellings.get(name, {}).get("random") == "true" for name in images.names)
    random = np.fromiter(in_order, np.bool_, len(images))
    apart = random & ~np.isin(units, units[~random])  # what looks like them is not learned from
    for measures in (apart, random):
        if measures.sum() >= MIN_RANDOM:
            return measures
    return np.ones(len(images), np.bool_)


def _own_parts(images: ImageTable, found: FoundLabels) -> tuple[NDArray[np.int8], str]:
    """Return the user's own part of each image, and where it comes from."""
    if found.parts:
        of_images = (found.parts.get(name, Part.TRAIN) for name in images.names)
        source = found.parts_from
    else:
        folders = {folder: PurePosixPath(folder) for folder in map(_folder, images.names)}
        depth = _depth_of_parts(folders.values())
        named = {folder: _name(path, depth) for folder, path in folders.items()}
        used = {name for name in named.values() if name.lower() in PART_NAMES}
        of_folder = {f: PART_NAMES.get(name.lower(), Part.TRAIN) for f, name in named.items()}
        of_images = (of_folder[_folder(name)] for name in images.names)
        source = f"folders {' and '.join(sorted(used))}"
    parts = np.fromiter(of_images, np.int8, len(images))
    # Where all is for training, it is as without parts.
    return parts, source if parts.any() else ""


def _depth_of_parts(folders: Iterable[PurePosixPath]) -> int | None:
    """Return the outermost depth at which folders are named as parts; None if there is none."""
    paths = [folder.parts for folder in folders]
    for depth in range(max(map(len, paths), default=0)):
        names = {path[depth].lower() for path in paths if len(path) > depth}
        # One alone, as test/ around all of a set, tells nothing apart.
        if len({PART_NAMES[name] for name in names & PART_NAMES.keys()}) > 1:
            return depth
    return None


def _name(folder: PurePosixPath, depth: int | None) -> str:
    return folder.parts[depth] if depth is not None and len(folder.parts) > depth else ""


def _folder(name: str) -> str:
    return posixpath.dirname(name)


def _groups(images: ImageTable, found: FoundLabels, *, by_folder: bool) -> tuple[Numbers, str]:
    """Return the number of each image's group, and where groups come from."""
    alone = np.arange(len(images))
    names: Iterator[str]
    if found.groups:
        names, source = (found.groups.get(name, "") for name in images.names), found.groups_from
    elif by_folder and _are_sources(images):
        names, source = map(_folder, images.names), "their folders"
    else:
        return alone, ""
    firsts: dict[str, int] = {}
    numbers = (firsts.setdefault(n, index) if n else index for index, n in enumerate(names))
    groups = np.fromiter(numbers, np.intp, len(images))
    return (groups, source) if repeated(groups).any() else (alone, "")


def _are_sources(images: ImageTable) -> bool:
    """Tell whether each folder holds a source's images: a meter's, a receipt's, a page's."""
    folders = Counter(map(_folder, images.names))
    named = zip(images.names, images.labels, strict=True)
    named_by_label = sum(posixpath.basename(_folder(name)) == label for name, label in named)
    return (
        len(folders) >= MIN_FOLDERS
        and max(folders.values()) <= LARGEST_FOLDER * len(images)
        and named_by_label <= len(images) / 2
    )


def _united(numbers: Numbers, pairs: Iterable[tuple[int, int]]) -> Numbers:
    """Return the numbers after those of each pair became one. (Union-find: Tarjan 1975.)"""
    roots: dict[int, int] = {}

    def root(number: int) -> int:
        while (above := roots.get(number, number)) != number:
            roots[number] = roots.get(above, above)
            number = above
        return number

    for a, b in pairs:
        one, other = sorted((root(int(numbers[a])), root(int(numbers[b]))))
        roots[other] = one
    united = numbers.copy()
    for index in np.flatnonzero(np.isin(numbers, list(roots))):
        united[index] = root(int(numbers[index]))
    return united
