"""What each image says: from labels.csv or labels.tsv, else from the file names.

In shards: from the text files beside the images, else from the file names.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from shared.errors import DatasetError
from trainer.pipeline.datasets.labels.label_files import label_rows
from trainer.pipeline.datasets.sources.image_files import is_image
from trainer.pipeline.datasets.sources.shards import LABEL_FILES, ShardSource
from trainer.pipeline.datasets.sources.source import ImageSource, ZipSource
from trainer.pipeline.datasets.sources.text_columns import Texts, TextTable
from trainer.schemas.job_request import FilenameLabelSource, Labels
from trainer.schemas.labels import (
    UnusableLabelError,
    compile_pattern,
    printable,
    shown,
    usable_label,
)

MATCH_SECONDS = 30.0
"""For all file names of a set together: a good pattern takes some millionths of a second each."""
MAY_HOLD_LABELS = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".xml", ".xlsx"}
NO_MATCH = "The file name does not match the pattern."


@dataclass(frozen=True)
class DatasetProblem:
    """Why one file is left out: kind is a snake_case name, detail a sentence.

    The file's name is as it can be shown: cut if long, without control characters.
    """

    kind: str
    file: str
    detail: str


@dataclass
class FoundLabels:
    """Labels by file name, and the files that have none."""

    source: str
    """In words: where the labels come from."""
    labels: Mapping[str, str] = field(default_factory=dict)
    problems: list[DatasetProblem] = field(default_factory=list)
    ignored: int = 0
    """Files that are neither images nor a label file."""
    decided: dict[str, str | None] = field(default_factory=dict)
    """Labels that somebody has looked at: they count, whatever files with the same image say;
    None leaves the image out."""
    corrections: frozenset[str] = frozenset()
    """The decided ones that are added to the dataset."""
    unknown: int = 0
    """Names to be labelled anew that no image has."""
    unread: tuple[str, ...] = ()
    """Files that may hold labels and were not read, for they are not called as label files are."""
    misread: tuple[str, ...] = ()
    """Names in a zip that does not say in what they are written."""

    def names(self) -> Sequence[str]:
        """Return the names of all labelled images, the decided ones first."""
        if isinstance(self.labels, TextTable) and not self.decided:
            return self.labels.names  # in the order in which they lie
        others = (name for name in self.labels if name not in self.decided)
        alike = others if isinstance(self.labels, TextTable) else sorted(others)
        return [*self.decided, *alike]

    def label(self, name: str) -> str | None:
        """Return the label that counts; None for an image that is left out."""
        return self.decided[name] if name in self.decided else self.labels[name]


def find_labels(
    source: ImageSource, how: Labels, relabel: Mapping[str, str | None] | None = None
) -> FoundLabels:
    """Find the label of every image; raises ReadsmithError if the way asked for cannot be gone.

    relabel: labels by file name that take the place of those found; None leaves the image out.
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
    files = {shown(name) for name in found.decided}
    found.problems = [problem for problem in found.problems if problem.file not in files]


def _from_names(images: Sequence[str], how: Labels) -> FoundLabels:
    label_of, source = _name_reader(how)
    found, labels = FoundLabels(source), dict[str, str]()
    for name in images:
        if (label := _usable(found, name, label_of(name), NO_MATCH)) is not None:
            labels[name] = label
    found.labels = labels
    return found


def _from_shards(source: ShardSource, how: Labels) -> FoundLabels:
    if how == "manifest" and not source.labelled:
        raise DatasetError(
            "labels_not_found",
            "No text file lies beside an image in the shards.",
            "Put 0017.txt beside 0017.png, or take labels from the file names.",
        )
    beside = how in ("auto", "manifest") and source.labelled
    label_of, where = _name_reader(how)
    found = FoundLabels("text files beside the images" if beside else where)
    found.ignored = source.ignored
    names, labels = Texts(), Texts()
    for place, name in enumerate(source.images):
        if not printable(name):
            found.problems.append(_unprintable(name))
            continue
        text = source.text(place) if beside else label_of(name)
        why = "No text file lies beside it." if beside else NO_MATCH
        if (label := _usable(found, name, text, why)) is not None:
            names.append(name)
            labels.append(label)
    found.labels = TextTable(names, labels)
    return found


def _name_reader(how: Labels) -> tuple[Callable[[str], str | None], str]:
    """Return the function from a file's name to its label, and what to call that in words."""
    if not isinstance(how, FilenameLabelSource):
        return lambda name: PurePosixPath(name).stem, "file names"
    return _Cutter(how.filename.pattern), f"file names by {how.filename.pattern}"


class _Cutter:
    """Cuts labels out of file names by a regular expression, as long as that goes on quickly."""

    def __init__(self, pattern: str) -> None:
        self._pattern = compile_pattern(pattern)
        groups = self._pattern.groupindex
        self._group: str | int = "text" if "text" in groups else min(self._pattern.groups, 1)
        self._seconds_left = MATCH_SECONDS

    def __call__(self, name: str) -> str | None:
        """Return the label, None if the name does not match; raises ReadsmithError."""
        stem, began = PurePosixPath(name).stem, time.monotonic()
        try:
            match = self._pattern.search(stem, timeout=max(self._seconds_left, 0.001))
        except TimeoutError:
            raise DatasetError(
                "pattern_too_slow",
                f"The regular expression has taken {MATCH_SECONDS:g} s until the file name "
                f"{shown(stem)}.",
                "What can be repeated in many ways does that, as in (a|aa)+: write it in one.",
            ) from None
        self._seconds_left -= time.monotonic() - began
        return match.group(self._group) if match else None


def _from_manifests(
    source: ImageSource, manifests: Sequence[str], images: Sequence[str], names: Sequence[str]
) -> FoundLabels:
    found = FoundLabels(" and ".join(shown(manifest) for manifest in manifests[:3]))
    labels: dict[str, str] = {}
    places = _places(names)
    listed: set[str] = set()
    conflicting: set[str] = set()
    for row in label_rows(source, manifests):
        name = _resolve(row.filename, PurePosixPath(row.manifest).parent, places)
        if name is None:
            detail = f"{shown(row.manifest)} line {row.line} names no file here."
            found.problems.append(DatasetProblem("missing_image", shown(row.filename), detail))
            continue
        listed.add(name)
        label = _usable(found, name, row.text)
        if label is not None and labels.setdefault(name, label) != label:
            conflicting.add(name)
    for name in sorted(conflicting):
        detail = f"It is listed as {shown(labels.pop(name))!r} and as something else."
        found.problems.append(DatasetProblem("conflicting_labels", shown(name), detail))
    found.problems += [
        DatasetProblem("missing_label", shown(name), "No label file lists it.")
        for name in images
        if name not in listed
    ]
    found.labels = labels
    return found


def _usable(found: FoundLabels, name: str, text: str | None, why_none: str = "") -> str | None:
    """Return a text as a label; note why it cannot be one and return None."""
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


def _places(names: Sequence[str]) -> Mapping[str, str | None]:
    """Map every path, and every base name that only one file has, to the file."""
    places: dict[str, str | None] = {}
    for name in names:
        base = PurePosixPath(name).name
        places[base] = None if base in places else name
    return {**places, **{name: name for name in names}}


def _resolve(filename: str, folder: PurePosixPath, places: Mapping[str, str | None]) -> str | None:
    """Find a listed file: beside its label file, from the top, or by a base name of its own."""
    path = PurePosixPath(filename.replace("\\", "/"))
    for candidate in ((folder / path).as_posix(), path.as_posix(), path.name):
        if places.get(candidate):
            return places[candidate]
    return None
