"""What each image says: from labels.csv or labels.tsv, else from the file names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from shared.errors import ReadsmithError
from trainer.image_source import ImageSource
from trainer.label_files import label_rows
from trainer.label_text import UnusableLabelError, usable_label
from trainer.requests import FilenameLabelSource, Labels
from trainer.safe_zip import printable, shown

IMAGE_ENDINGS = frozenset(
    f".{ending}"
    for ending in (
        *("png", "jpg", "jpeg", "jpe", "jfif", "gif", "bmp", "webp", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm"),
    )
)
MANIFEST_NAMES = ("labels.csv", "labels.tsv")


@dataclass(frozen=True)
class Problem:
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
    labels: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    ignored: int = 0
    """Files that are neither pictures nor a label file."""
    decided: dict[str, str | None] = field(default_factory=dict)
    """Labels that somebody has looked at: they count, whatever files with the same picture say;
    None leaves the picture out."""
    corrections: frozenset[str] = frozenset()
    """The decided ones that are added to the dataset."""
    unknown: int = 0
    """Names to be labelled anew that no picture has."""


def find_labels(
    source: ImageSource, how: Labels, relabel: Mapping[str, str | None] | None = None
) -> FoundLabels:
    """Find the label of every image; raises ReadsmithError if the way asked for cannot be gone.

    relabel: labels by file name that take the place of those found; None leaves the picture out.
    """
    everything = source.names()
    names = [name for name in everything if printable(name)]
    manifests = [name for name in names if PurePosixPath(name).name.lower() in MANIFEST_NAMES]
    images = [name for name in names if _is_image(name)]
    if how == "manifest" and not manifests:
        raise ReadsmithError(
            "labels_not_found",
            "The dataset holds no labels.csv or labels.tsv.",
            "Add one with the columns filename,text, or take labels from the file names.",
        )
    if manifests and how in ("auto", "manifest"):
        found = _from_manifests(source, manifests, images, names)
    else:
        found = _from_names(images, how)
    unprintable = [name for name in everything if _is_image(name) and not printable(name)]
    found.problems += [
        Problem("unprintable_name", shown(name), "Its name holds control characters.")
        for name in unprintable
    ]
    found.ignored = len(everything) - len(images) - len(manifests) - len(unprintable)
    if relabel:
        _decide(found, relabel, images)
    return found


def _decide(found: FoundLabels, relabel: Mapping[str, str | None], images: Sequence[str]) -> None:
    found.decided = {name: relabel[name] for name in images if name in relabel}
    found.unknown = len(relabel) - len(found.decided)
    files = {shown(name) for name in found.decided}
    found.problems = [problem for problem in found.problems if problem.file not in files]


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in IMAGE_ENDINGS


def _from_names(images: Sequence[str], how: Labels) -> FoundLabels:
    if not isinstance(how, FilenameLabelSource):
        found = FoundLabels("file names")
        for name in images:
            _add(found, name, PurePosixPath(name).stem)
        return found
    pattern = re.compile(how.filename.pattern)
    found = FoundLabels(f"file names by {pattern.pattern}")
    for name in images:
        text = _matched(pattern, PurePosixPath(name).stem)
        if text is None:
            found.problems.append(
                Problem("missing_label", shown(name), "The file name does not match the pattern.")
            )
        else:
            _add(found, name, text)
    return found


def _matched(pattern: re.Pattern[str], stem: str) -> str | None:
    match = pattern.search(stem)
    if match is None:
        return None
    group: str | int = "text" if "text" in pattern.groupindex else min(pattern.groups, 1)
    return match.group(group)


def _from_manifests(
    source: ImageSource, manifests: Sequence[str], images: Sequence[str], names: Sequence[str]
) -> FoundLabels:
    found = FoundLabels(" and ".join(shown(manifest) for manifest in manifests[:3]))
    places = _places(names)
    listed: set[str] = set()
    conflicting: set[str] = set()
    for row in label_rows(source, manifests):
        name = _resolve(row.filename, PurePosixPath(row.manifest).parent, places)
        if name is None:
            detail = f"{shown(row.manifest)} line {row.line} names no file here."
            found.problems.append(Problem("missing_image", shown(row.filename), detail))
            continue
        listed.add(name)
        if not _add(found, name, row.text):
            conflicting.add(name)
    for name in sorted(conflicting):
        detail = f"It is listed as {shown(found.labels.pop(name))!r} and as something else."
        found.problems.append(Problem("conflicting_labels", shown(name), detail))
    found.problems += [
        Problem("missing_label", shown(name), "No label file lists it.")
        for name in images
        if name not in listed
    ]
    return found


def _add(found: FoundLabels, name: str, text: str) -> bool:
    """Take a label or note why it cannot be one; returns False if the file has another already."""
    try:
        label = usable_label(text)
    except UnusableLabelError as error:
        found.problems.append(Problem(error.kind, shown(name), f"Its label {error}."))
        return True
    return found.labels.setdefault(name, label) == label


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
