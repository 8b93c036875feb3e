"""What each image says: from labels.csv or labels.tsv, else from the file names."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from shared.errors import ReadsmithError
from shared.vocabulary import normalise_label
from trainer.image_source import ImageSource
from trainer.requests import FilenameLabelSource, Labels

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
    """Why one file is left out: kind is a snake_case name, detail a sentence."""

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


def find_labels(source: ImageSource, how: Labels) -> FoundLabels:
    """Find the label of every image; raises ReadsmithError if the way asked for cannot be gone."""
    names = source.names()
    manifests = [name for name in names if PurePosixPath(name).name.lower() in MANIFEST_NAMES]
    images = [name for name in names if PurePosixPath(name).suffix.lower() in IMAGE_ENDINGS]
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
    found.ignored = len(names) - len(images) - len(manifests)
    return found


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
                Problem("missing_label", name, "The file name does not match the pattern.")
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
    found = FoundLabels(" and ".join(manifests[:3]))
    places = _places(names)
    conflicting: set[str] = set()
    for manifest in manifests:
        for line, filename, text in _rows(source, manifest):
            name = _resolve(filename, PurePosixPath(manifest).parent, places)
            if name is None:
                found.problems.append(
                    Problem(
                        "missing_image", filename, f"{manifest} line {line} names no file here."
                    )
                )
            elif name in found.labels and found.labels[name] != normalise_label(text):
                conflicting.add(name)
            else:
                _add(found, name, text)
    for name in sorted(conflicting):
        detail = f"It is listed as {found.labels.pop(name)!r} and as something else."
        found.problems.append(Problem("conflicting_labels", name, detail))
    told = {*found.labels, *(problem.file for problem in found.problems)}
    found.problems += [
        Problem("missing_label", name, "No label file lists it.")
        for name in images
        if name not in told
    ]
    return found


def _add(found: FoundLabels, name: str, text: str) -> None:
    label = normalise_label(text)
    if label:
        found.labels[name] = label
    else:
        found.problems.append(Problem("empty_label", name, "Its label is empty."))


def _rows(source: ImageSource, manifest: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, filename and text of each row; raises ReadsmithError."""
    try:
        content = source.read(manifest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadsmithError(
            "labels_not_utf8",
            f"{manifest} is not UTF-8 at byte {error.start}.",
            "Save it as UTF-8.",
        ) from error
    except Exception as error:
        raise ReadsmithError(
            "labels_unreadable", f"{manifest} cannot be read: {error}.", "Pack it again."
        ) from error
    delimiter = "\t" if manifest.lower().endswith(".tsv") else ","
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter)
    header = [(name or "").strip().lower() for name in reader.fieldnames or []]
    if "filename" not in header or "text" not in header:
        raise ReadsmithError(
            "labels_header",
            f"{manifest} starts with {', '.join(header) or 'nothing'}.",
            "Its first line must be filename,text (tab between them in a .tsv).",
        )
    reader.fieldnames = header
    try:
        for row in reader:
            yield reader.line_num, (row["filename"] or "").strip(), row["text"] or ""
    except csv.Error as error:
        raise ReadsmithError(
            "labels_unreadable", f"{manifest} line {reader.line_num}: {error}.", "Mend that line."
        ) from error


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
