"""Joins lists of labels: which image each row names, and what it says of it."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from shared.errors import DatasetError
from shared.texts import shown
from trainer.pipeline.datasets.labels.formats.encodings import WESTERN
from trainer.pipeline.datasets.labels.formats.label_list import OWN, LabelList
from trainer.pipeline.datasets.labels.formats.named_files import NamedFiles
from trainer.pipeline.datasets.labels.found import DatasetProblem, FoundLabels
from trainer.pipeline.datasets.labels.label_row import PART_NAMES, LabelRow, Part
from trainer.pipeline.datasets.sources.image_files import is_image
from trainer.pipeline.datasets.sources.text_columns import Texts, TextTable


def from_lists(
    lists: Sequence[LabelList], images: Sequence[str], files: NamedFiles, most_rows: int
) -> FoundLabels:
    """Return what lists say of a set's images.

    Raises ReadsmithError: labels_too_many; labels_ambiguous if two lists contradict each other.
    """
    if sum(len(each.rows) for each in lists) > most_rows:
        raise DatasetError(
            "labels_too_many",
            f"The label files have more than {most_rows:,} rows.",
            "Give one row per image.",
        )
    join = _Join(lists, files)
    for each in lists:
        for row in each.rows:
            join.add(row, each.name)
    join.finish(images)
    return join.found


class _Join:
    """Collects the labels of several lists."""

    def __init__(self, lists: Sequence[LabelList], files: NamedFiles) -> None:
        self.found = FoundLabels(" and ".join(map(_called, lists[:3])))
        self._lists = lists
        self._files = files
        self._parts = _parts_of(lists)
        if self._parts:
            self.found.parts_from = f"the lists {' and '.join(map(shown, sorted(self._parts)))}"
        self._texts: dict[str, str] = {}
        self._listed: set[str] = set()
        self._conflicting: set[str] = set()
        self._meant: dict[str, str] = {}
        """Why images that a row may mean are not listed for certain."""
        self._first: dict[str, str] = {}
        """The list that named each image first."""
        self._agree: Counter[tuple[str, str]] = Counter()
        self._differ: Counter[tuple[str, str]] = Counter()
        self._images: Counter[str] = Counter()
        """How many rows of each list name an image."""
        self._marked: dict[str, Counter[str]] = {each.name: Counter() for each in lists}
        """How many boxes of each list are in each image."""

    def add(self, row: LabelRow, manifest: str) -> None:
        """Take the label of a row of a list, or record why there is none."""
        found, name = self.found, self._files.resolve(row)
        if name is None:
            why = f"; it {row.fault}" if row.fault else ""
            detail = f"{shown(row.place)} {self._files.why_none(row)}{why}."
            found.problems.append(DatasetProblem("missing_image", shown(row.filename), detail))
            self._meant |= dict.fromkeys(self._files.meant(row), detail)
            return
        self._listed.add(name)
        self._images[manifest] += is_image(name)
        if row.box is not None:
            self._marked[manifest][name] += 1
            image, name = name, row.box.name_in(name)
            found.boxes[name] = image, row.box
            found.groups[name] = row.group or image
        found.places.setdefault(name, (f"{row.manifest} {row.unit}", row.line))
        if row.fault:
            detail = f"{shown(row.place)} {row.fault}."
            found.problems.append(DatasetProblem("unclear_label", shown(name), detail))
            return
        if row.labelling:
            found.labellings.setdefault(name, row.labelling)
        self._label(row, name, manifest)
        if row.group:
            found.groups.setdefault(name, row.group)
        part = row.part if row.part is not None else self._parts.get(manifest)
        if part is not None:
            found.parts.setdefault(name, part)

    def _label(self, row: LabelRow, name: str, manifest: str) -> None:
        if row.readable is None:
            self.found.unlabelled.append(name)
            return
        label = self.found.usable(name, row.text) if row.readable else ""
        if label is None:
            return
        same = self._texts.setdefault(name, label) == label
        first = self._first.setdefault(name, manifest)
        if not same:
            self._conflicting.add(name)
        if first != manifest:
            (self._agree if same else self._differ)[first, manifest] += 1

    def finish(self, images: Sequence[str]) -> None:
        """Record the images without a label, and what was recognised."""
        self._require_agreement()
        found = self.found
        for name in sorted(self._conflicting):
            detail = f"It is listed as {shown(self._texts.pop(name))!r} and as something else."
            found.problems.append(DatasetProblem("conflicting_labels", shown(name), detail))
        for name in images:
            if name not in self._listed:
                found.lacks_label(name, self._meant.get(name, "No label file lists it."))
        in_order = dict(sorted(self._texts.items()))
        found.labels = TextTable(Texts(in_order), Texts(in_order.values()))
        self._group_cuts()
        self._describe()
        self._warn()

    def _group_cuts(self) -> None:
        """Keep lines of one image together; where each is alone, other groups may be found."""
        if not self.found.boxes:
            return
        if len(set(self.found.groups.values())) == len(self.found.groups):
            self.found.groups = {}
        self.found.groups_from = "their source images"

    def _require_agreement(self) -> None:
        for (first, other), count in self._differ.items():
            if count > 1 and count > self._agree[first, other]:
                raise DatasetError(
                    "labels_ambiguous",
                    f"{shown(first)} and {shown(other)} give {count} images different texts.",
                    f"Name the right one: --labels {shown(f'file:{first}')} (in a request "
                    f'"labels": {{"file": "{shown(first)}"}}), or leave the other out.',
                )

    def _warn(self) -> None:
        for kind, what, remedy in (
            ("unclear_label", "rows cannot be read for certain and are left out", "Correct them."),
            ("empty_label", "rows name an image and no text, and are left out", "Fill them in."),
            ("missing_image", "rows name no image that is there for certain", "Give its path."),
        ):
            details = [each.detail for each in self.found.problems if each.kind == kind]
            if details:
                self.found.warnings.append(f"{len(details)} {what}: {details[0]} {remedy}")

    def _describe(self) -> None:
        found = self.found
        for each in self._lists:
            ways = ([f"read as {each.encoding}"] if each.encoding else []) + list(each.notes)
            if each.format != OWN or ways:
                marked = self._marked[each.name]
                what = f"boxes with texts, in {len(marked)} images," if marked else "images"
                counted = f"{self._images[each.name]} of {len(each.rows)} {what} found"
                name = each.format[0].upper() + each.format[1:]
                found.notes.append(f"{name} {shown(each.name)}: {'; '.join((counted, *ways))}.")
            if each.empty_rows:
                found.notes.append(f"{shown(each.name)} has {each.empty_rows} empty rows.")
            found.warnings += each.warnings
            if each.encoding == WESTERN:
                found.warnings.append(_guessed(each))
        for what, count in self._files.differing.items():
            found.notes.append(f"{count} listed names differ from the files' {what}.")


def _called(each: LabelList) -> str:
    return shown(each.name) if each.format == OWN else f"{shown(each.name)} ({each.format})"


def _guessed(each: LabelList) -> str:
    row = next((row for row in each.rows if not row.text.isascii()), None)
    example = f": line {row.line} says {shown(row.text, 40)}" if row else ""
    return (
        f"{shown(each.name)} is not UTF-8 and is read as {WESTERN}{example}. If letters are "
        "wrong, save it as UTF-8."
    )


def _parts_of(lists: Sequence[LabelList]) -> dict[str, Part]:
    """Return the part of each list where their names tell them apart: train.txt and val.txt."""
    parts = {}
    for each in lists:
        words = re.split(r"[^a-z]+", PurePosixPath(each.name).stem.lower())
        named = {PART_NAMES[word] for word in words if word in PART_NAMES}
        if len(named) == 1:
            parts[each.name] = named.pop()
    return parts if len(set(parts.values())) > 1 else {}
