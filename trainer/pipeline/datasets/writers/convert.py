"""Writes a set anew in the format of another tool, its images byte for byte."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import DatasetError
from shared.texts import printable, shown
from trainer.pipeline.datasets.labels.cut_out import cut_out
from trainer.pipeline.datasets.labels.found import DatasetProblem, FoundLabels
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.image_files import (
    MAX_ENTRY_BYTES,
    UnreadableEntryError,
    is_image,
)
from trainer.pipeline.datasets.sources.source import ImageSource, open_source
from trainer.pipeline.datasets.writers.lists import BEYOND, FORMATS, STATE, Entry, Format
from trainer.pipeline.datasets.writers.new_files import Add, new_files, require_free
from trainer.pipeline.datasets.writers.safe_names import safe_names
from trainer.schemas.job_request import Labels
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits

UNLABELLED = ("missing_label", "empty_label")
"""Problems of images that have no label; of all others the label is not certain, or unusable."""
_LOST = {
    "group": "which images belong together (group)",
    "split": "which part images belong to (split)",
    STATE: "the state of an image, as that there is nothing to read on it (state)",
    "by": "who has labelled an image (by)",
    "at": "when it was labelled (at)",
    "random": "which images were labelled in random order (random)",
    "proposal": "what was read on an image (proposal)",
    "confidence": "how sure that is (confidence)",
    "proposed_by": "by what it was read (proposed_by)",
}


@dataclass
class Converted:
    """The result of converting a set."""

    format: str
    images: int = 0
    """Written, with and without a label."""
    unlabelled: int = 0
    renamed: dict[str, str] = field(default_factory=dict)
    """New names by old ones."""
    left_out: list[DatasetProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What to look at, in sentences."""


def convert(
    path: Path, target: Path, labels: Labels, to: str, limits: DatasetLimits = DEFAULT_LIMITS
) -> Converted:
    """Write the labelled images of a set into a new folder, or zip, in one of FORMATS.

    Images are neither decoded nor compared, but for those that lines are cut out of. The target
    appears once all is written, or not at all.
    Raises ReadsmithError: target_exists, no_images, dataset_too_large, and those of the check.
    """
    require_free(target)
    source = open_source(path, limits)
    found = find_labels(source, labels)
    source = cut_out(source, found)
    writer = FORMATS[to]
    done = Converted(to, notes=list(found.warnings))
    if found.broken:
        done.notes.append(f"{len(found.broken)} labels have a line break, written as a space.")
    done.left_out += (problem for problem in found.problems if problem.kind == "unusable_box")
    names = list(_images_to_write(source, found, writer, done))
    new_names = safe_names(names, writer.lists)
    with new_files(target) as add:
        entries = list(_copied(source, found, new_names, add, done))
        if not any(entry.text for entry in entries):
            raise DatasetError(
                "no_images",
                f"There is no labelled image in {path} that can be written.",
                "`readsmith datasets check DATASET` says why each was left out.",
            )
        _add_lists(writer, entries, add)
    done.notes += _lost(to, entries)
    return done


def _images_to_write(
    source: ImageSource, found: FoundLabels, writer: Format, done: Converted
) -> Iterator[str]:
    """Yield the images with a label that can be written, and those without one."""
    problems = {problem.file: problem for problem in found.problems}
    marked = {image for image, _ in found.boxes.values()}  # of which the lines are written
    for name in source.names():
        if not is_image(name) or (name in marked and name not in found.labels):
            continue
        text = found.labels.get(name)
        problem = problems.get(shown(name))
        if text is not None and (why := writer.why_not(text)):
            done.left_out.append(_problem("unwritable_label", name, f"Its label {why}."))
        elif text is None and problem is not None and problem.kind not in UNLABELLED:
            done.left_out.append(problem)
        elif printable(name):
            yield name


def _problem(kind: str, name: str, detail: str) -> DatasetProblem:
    return DatasetProblem(kind, shown(name), detail)


def _copied(
    source: ImageSource, found: FoundLabels, new_names: dict[str, str], add: Add, done: Converted
) -> Iterator[Entry]:
    """Copy the images; yield what is said of each."""
    for name, new_name in new_names.items():
        try:
            data = source.read(name)
        except UnreadableEntryError as error:
            done.left_out.append(_problem("unreadable", name, f"It {error}."))
            continue
        add(new_name, data)
        text = found.labels.get(name)
        done.images += 1
        done.unlabelled += text is None
        if new_name != name:
            done.renamed[name] = new_name
        group, part = found.groups.get(name, ""), found.parts.get(name)
        yield Entry(new_name, text, group, part, found.labellings.get(name, {}))


def _add_lists(writer: Format, entries: Sequence[Entry], add: Add) -> None:
    for name, text in writer.write(entries).items():
        data = text.encode()
        if len(data) > MAX_ENTRY_BYTES:
            raise DatasetError(
                "dataset_too_large",
                f"{name} would have {len(data):,} bytes; a list that is read may have "
                f"{MAX_ENTRY_BYTES:,}.",
                "Convert the set in parts.",
            )
        add(name, data)


def _lost(to: str, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield what the format cannot say, in sentences."""
    for name in BEYOND:
        count = sum(entry.beyond()[name] != "" for entry in entries)
        if count and name not in FORMATS[to].carries:
            yield f"The format {to} cannot say {_LOST[name]}: lost for {count} images."
