"""Finds each image's label: in labels.csv or labels.tsv, else in the file name.

In shards: in the text file beside the image, else in the file name.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import PurePosixPath

from shared.errors import DatasetError
from shared.texts import printable, shown, text_of_cell
from trainer.pipeline.datasets.labels.label_files import PART_NAMES, LabelRow, Part, label_rows
from trainer.pipeline.datasets.sources.image_files import is_image
from trainer.pipeline.datasets.sources.shards import LABEL_FILES, ShardSource
from trainer.pipeline.datasets.sources.source import ImageSource, ZipSource
from trainer.pipeline.datasets.sources.text_columns import Texts, TextTable
from trainer.schemas.job_request import FilenameLabelSource, Labels
from trainer.schemas.labels import UnusableLabelError, compile_pattern, usable_label

MATCH_SECONDS = 30.0
"""For all file names of a set together; a sound pattern takes microseconds per name."""
MAY_HOLD_LABELS = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".xml", ".xlsx"}
MOST_ALIKE = 100
"""Of more files with one base name, only a whole path tells which is meant."""
NO_MATCH = "The file name does not match the pattern."


@dataclass(frozen=True)
class DatasetProblem:
    """Why a file is left out: kind is a snake_case name, detail a sentence.

    The file's name is safe to show: shortened, without control characters.
    """

    kind: str
    file: str
    detail: str


@dataclass
class FoundLabels:
    """Labels by file name, and the files that have none."""

    source: str
    """Where the labels come from, for messages."""
    labels: TextTable = field(default_factory=lambda: TextTable(Texts(), Texts()))
    """In the order of the source, in which disks read fastest."""
    groups: dict[str, str] = field(default_factory=dict)
    """The column group of label files, by file name."""
    parts: dict[str, Part] = field(default_factory=dict)
    """The column split of label files, by file name."""
    problems: list[DatasetProblem] = field(default_factory=list)
    ignored: int = 0
    """Files that are neither images nor a label file."""
    decided: dict[str, str | None] = field(default_factory=dict)
    """Labels corrected by a user: they win over those of files with the same image; None leaves
    the image out."""
    corrections: frozenset[str] = frozenset()
    """Names in `decided` that corrections add to the dataset."""
    unknown: int = 0
    """The number of names in relabel that no image has."""
    unread: tuple[str, ...] = ()
    """Files that may hold labels but were ignored, because they have another name."""
    misread: tuple[str, ...] = ()
    """Names in a zip that does not declare their encoding."""

    def names(self) -> Sequence[str]:
        """Return the names of all labelled images, the decided ones first.

        First, because of files with the same image the first one's label is used.
        """
        if not self.decided:
            return self.labels.names
        return [*self.decided, *(name for name in self.labels if name not in self.decided)]

    def label(self, name: str) -> str | None:
        """Return the valid label, "" if nothing can be read; None for an image that is left out."""
        return self.decided[name] if name in self.decided else self.labels[name]


def find_labels(
    source: ImageSource, how: Labels, relabel: Mapping[str, str | None] | None = None
) -> FoundLabels:
    """Find the label of every image.

    Raises ReadsmithError: labels_not_found if the source lacks the requested labels, and those of
    label_rows. relabel: labels by file name that replace those found; None leaves the image out.
    """
    if isinstance(source, ShardSource):
        found = _from_shards(source, how)
        if relabel:
            _decide(found, relabel, source.images)
        return found
    everything = source.names()
    names = [name for name in everything if printable(name)]
    manifests = [name for name in names if PurePosixPath(name).name.lower() in LABEL_FILES]
    images = [name for name in names if is_image(name)]
    if how == "manifest" and not manifests:
        raise DatasetError(
            "labels_not_found",
            "The dataset holds no labels.csv or labels.tsv.",
            "Add one with the columns filename,text, or take labels from the file names.",
        )
    if manifests and how in ("auto", "manifest"):
        found = _from_manifests(source, manifests, images, names)
    else:
        found = _from_names(images, how)
    unprintable = [name for name in everything if is_image(name) and not printable(name)]
    found.problems += map(_unprintable, unprintable)
    found.ignored = len(everything) - len(images) - len(manifests) - len(unprintable)
    if not manifests:
        found.unread = tuple(filter(_may_hold_labels, names))
    if isinstance(source, ZipSource):
        found.misread = tuple(filter(is_image, source.unmarked))
    if relabel:
        _decide(found, relabel, images)
    return found


def _may_hold_labels(name: str) -> bool:
    path = PurePosixPath(name.lower())
    return path.suffix in MAY_HOLD_LABELS and not path.stem.startswith(("readme", "license"))


def _decide(found: FoundLabels, relabel: Mapping[str, str | None], images: Sequence[str]) -> None:
    found.decided = {name: relabel[name] for name in images if name in relabel}
    found.unknown = len(relabel) - len(found.decided)
    # A decided label also replaces one that was missing, unusable or conflicting.
    files = {shown(name) for name in found.decided}
    found.problems = [problem for problem in found.problems if problem.file not in files]


def _from_names(images: Sequence[str], how: Labels) -> FoundLabels:
    label_of, source = _label_reader(how)
    found = FoundLabels(source)
    _add_labels(found, ((name, label_of(name)) for name in images), NO_MATCH)
    return found


def _add_labels(found: FoundLabels, texts: Iterable[tuple[str, str | None]], why_none: str) -> None:
    """Add the usable labels, by name, and the problems of the others."""
    names, labels = Texts(), Texts()
    for name, text in texts:
        if (label := _usable(found, name, text, why_none)) is not None:
            names.append(name)
            labels.append(label)
    found.labels = TextTable(names, labels)


def _from_shards(source: ShardSource, how: Labels) -> FoundLabels:
    if how == "manifest" and not source.labelled:
        raise DatasetError(
            "labels_not_found",
            "No image in the shards has a text file beside it.",
            "Put 0017.txt beside 0017.png, or take labels from the file names.",
        )
    beside = how in ("auto", "manifest") and source.labelled
    label_of, where = _label_reader(how)
    found = FoundLabels("text files beside the images" if beside else where)
    found.ignored = source.ignored
    found.problems += [_unprintable(name) for name in source.images if not printable(name)]
    texts = (
        (name, source.text(index) if beside else label_of(name))
        for index, name in enumerate(source.images)
        if printable(name)
    )
    _add_labels(found, texts, "It has no text file beside it." if beside else NO_MATCH)
    return found


def _label_reader(how: Labels) -> tuple[Callable[[str], str | None], str]:
    """Return the function from a file's name to its label, and its description."""
    if not isinstance(how, FilenameLabelSource):
        return lambda name: PurePosixPath(name).stem, "file names"
    return _LabelPattern(how.filename.pattern), f"file names by {how.filename.pattern}"


class _LabelPattern:
    """Extracts labels from file names by a regular expression, within MATCH_SECONDS in all."""

    def __init__(self, pattern: str) -> None:
        self._pattern = compile_pattern(pattern)
        groups = self._pattern.groupindex
        self._group: str | int = "text" if "text" in groups else min(self._pattern.groups, 1)
        self._seconds_left = MATCH_SECONDS

    def __call__(self, name: str) -> str | None:
        """Return the label, None if the name does not match; raises ReadsmithError."""
        stem, began = PurePosixPath(name).stem, time.monotonic()
        try:
            # A user's pattern, such as (a|aa)+$, may backtrack for hours. Python's re cannot be
            # interrupted; the package regex has timeouts.
            match = self._pattern.search(stem, timeout=max(self._seconds_left, 0.001))
        except (TimeoutError, MemoryError) as error:
            much = "memory than there is" if isinstance(error, MemoryError) else None
            raise DatasetError(
                "pattern_too_slow",
                f"The regular expression took more {much or f'than {MATCH_SECONDS:g} s'}, up to "
                f"the file name {shown(stem)}.",
                "Repeats that match the same text in many ways are slow, as (a|aa)+; use a+.",
            ) from None
        self._seconds_left -= time.monotonic() - began
        return match.group(self._group) if match else None


def _from_manifests(
    source: ImageSource, manifests: Sequence[str], images: Sequence[str], names: Sequence[str]
) -> FoundLabels:
    found = FoundLabels(" and ".join(shown(manifest) for manifest in manifests[:3]))
    labels: dict[str, str] = {}
    paths = _Paths(names)
    listed: set[str] = set()
    conflicting: set[str] = set()
    for row in label_rows(source, manifests):
        name = paths.resolve(row)
        if name is None:
            detail = f"{shown(row.manifest)} line {row.line} {paths.why_none(row)}."
            found.problems.append(DatasetProblem("missing_image", shown(row.filename), detail))
            continue
        listed.add(name)
        label = _usable(found, name, row.text) if row.readable else ""
        if label is not None and labels.setdefault(name, label) != label:
            conflicting.add(name)
        if row.group:
            found.groups.setdefault(name, row.group)
        if row.part is not None:
            found.parts.setdefault(name, row.part)
    for name in sorted(conflicting):
        detail = f"It is listed as {shown(labels.pop(name))!r} and as something else."
        found.problems.append(DatasetProblem("conflicting_labels", shown(name), detail))
    found.problems += [
        DatasetProblem("missing_label", shown(name), "No label file lists it.")
        for name in images
        if name not in listed
    ]
    in_order = dict(sorted(labels.items()))
    found.labels = TextTable(Texts(in_order), Texts(in_order.values()))
    return found


def _usable(found: FoundLabels, name: str, text: str | None, why_none: str = "") -> str | None:
    """Return a text as a label; if it is none, record the problem and return None."""
    if text is None:
        found.problems.append(DatasetProblem("missing_label", shown(name), why_none))
        return None
    try:
        return usable_label(text)
    except UnusableLabelError as error:
        found.problems.append(DatasetProblem(error.kind, shown(name), f"Its label {error}."))
        return None


def _unprintable(name: str) -> DatasetProblem:
    return DatasetProblem(
        "unprintable_name", shown(name), "Its name holds control characters, or is not UTF-8."
    )


class _Paths:
    """Finds the files that label files name."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = set(names)
        self._by_base: dict[str, str | list[str]] = {}
        """One path, or all paths of those with this base name."""
        for name in names:
            base = PurePosixPath(name).name
            if isinstance(other := self._by_base.setdefault(base, name), list):
                other.append(name)
            elif other != name:
                self._by_base[base] = [other, name]

    def resolve(self, row: LabelRow) -> str | None:
        """Return the path that a row names.

        Relative to its label file's folder or to one around it, else the only file whose path
        ends as the row's does.
        """
        # As it is first: a file may be named as cells are escaped.
        return self._found(row, row.filename) or self._found(row, text_of_cell(row.filename))

    def why_none(self, row: LabelRow) -> str:
        """Return why a row names no file, or none for sure."""
        candidates = self._candidates(row, _listed(row.filename))
        if not candidates:
            return "names no file here"
        first, second = map(shown, candidates[:2])
        return f"may mean {first} or {second}: give the path"

    def _found(self, row: LabelRow, filename: str) -> str | None:
        path = _listed(filename)
        # Its own folder first: train/ and test/ may hold files of the same names.
        for folder in PurePosixPath(row.manifest).parents:
            if (name := (folder / path).as_posix()) in self._names:
                return name
        candidates = self._candidates(row, path)
        return candidates[0] if len(candidates) == 1 else None

    def _candidates(self, row: LabelRow, path: PurePosixPath) -> list[str]:
        """Return the files of this base name that share the most folders with the path."""
        found = self._by_base.get(path.name, [])
        if isinstance(found, str):
            found = [found]
        if len(found) > MOST_ALIKE:
            return found
        # What is listed for train/ and is missing there is not the file of that name in test/.
        part = _parts_named(PurePosixPath(row.manifest).parent / path)
        named = ((name, _parts_named(PurePosixPath(name))) for name in found)
        found = [name for name, parts in named if not parts or part <= parts]
        shared = [_shared_end(PurePosixPath(name), path) for name in found]
        return [name for name, n in zip(found, shared, strict=True) if n == max(shared)]


def _listed(filename: str) -> PurePosixPath:
    return PurePosixPath(filename.replace("\\", "/"))  # lists written on Windows


def _parts_named(path: PurePosixPath) -> set[Part]:
    folders = (folder.lower() for folder in path.parent.parts)
    return {PART_NAMES[folder] for folder in folders if folder in PART_NAMES}


def _shared_end(a: PurePosixPath, b: PurePosixPath) -> int:
    """Count the parts in which two paths agree from their ends on."""
    pairs = zip(reversed(a.parts), reversed(b.parts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
