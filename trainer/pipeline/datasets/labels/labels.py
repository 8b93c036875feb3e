"""Finds each image's label.

In lists of labels in any format that is known, in text files beside the images, in the names of
their folders, or in their own. In shards: in the text file beside the image, else in its name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from shared.errors import DatasetError, LabelsNotFoundError
from shared.texts import printable, shown
from trainer.pipeline.datasets.labels.file_names import (
    named_by_folder,
    unnamed_folders,
    why_no_labels,
)
from trainer.pipeline.datasets.labels.formats.beside import (
    ENDINGS,
    files_beside,
    texts_beside,
)
from trainer.pipeline.datasets.labels.formats.boxes.voc import read_voc
from trainer.pipeline.datasets.labels.formats.boxes.yolo import are_boxes, read_yolo
from trainer.pipeline.datasets.labels.formats.label_list import LabelList
from trainer.pipeline.datasets.labels.formats.lists import find_lists, own_lists, read_list
from trainer.pipeline.datasets.labels.formats.named_files import NamedFiles
from trainer.pipeline.datasets.labels.found import FILE_NAMES, FoundLabels, unprintable
from trainer.pipeline.datasets.labels.label_pattern import LabelPattern
from trainer.pipeline.datasets.labels.listed import from_lists
from trainer.pipeline.datasets.sources.image_files import is_image
from trainer.pipeline.datasets.sources.shards import ShardSource
from trainer.pipeline.datasets.sources.source import ImageSource, ZipSource
from trainer.pipeline.datasets.sources.text_columns import Texts, TextTable
from trainer.schemas.job_request import FileLabelSource, FilenameLabelSource, Labels

NO_MATCH = "The file name does not match the pattern."
UNNAMED = "The file names in its folder are no texts."
NONE_BESIDE = "It has no text file beside it."
BESIDE = "text files beside the images"
FOLDERS = "names of their folders"
HOW_TO_LABEL = (
    "List the texts in a labels.csv with the columns filename,text, or put 0017.txt beside "
    "0017.png. If the names are the labels all the same, say so: --labels filename (in a request "
    '"labels": "filename").'
)
HOW_BY_FOLDER = " If the names of the folders are the labels: --labels folder."


def find_labels(
    source: ImageSource, how: Labels, relabel: Mapping[str, str | None] | None = None
) -> FoundLabels:
    """Find the label of every image.

    Raises ReadsmithError: labels_not_found if the source lacks the requested labels or its file
    names cannot be any, labels_ambiguous if it is not certain which are meant, and those of
    read_list. relabel: labels by file name that replace those found; None leaves the image out.
    """
    if isinstance(source, ShardSource):
        found = _from_shards(source, how)
        if relabel:
            _decide(found, relabel, source.images)
        return found
    everything = source.names()
    names = [name for name in everything if printable(name)]
    images = [name for name in names if is_image(name)]
    found = _Finder(source, names, images).find(how)
    hidden = [name for name in everything if is_image(name) and not printable(name)]
    found.problems += map(unprintable, hidden)
    found.ignored += len(everything) - len(images) - len(hidden)
    if isinstance(source, ZipSource):
        found.misread = tuple(filter(is_image, source.unmarked))
    if relabel:
        _decide(found, relabel, [*images, *found.boxes])
    return found


class _Finder:
    """Looks for labels where they may be."""

    def __init__(self, source: ImageSource, names: Sequence[str], images: Sequence[str]) -> None:
        self._source = source
        self._names = names
        self._images = images
        self._files = NamedFiles(names)

    def find(self, how: Labels) -> FoundLabels:
        """Return the labels from where they are asked for."""
        if isinstance(how, FileLabelSource):
            return self._from_files([self._named(how.file)])
        if how == "manifest":
            return self._from_manifests()
        if how == "beside":
            return self._from_asked_beside()
        if how == "folder":
            return self._from_names(lambda name: PurePosixPath(name).parent.name, FOLDERS)
        if how == "auto":
            return self._recognised()
        return self._from_names(*_label_reader(how))

    def _recognised(self) -> FoundLabels:
        """Return the labels from the only place where they can be; raises labels_ambiguous."""
        found = find_lists(self._source, self._files)
        if found.lists:
            return self._of_lists(found.lists)
        beside = files_beside(self._names, self._images)
        if beside:
            if not are_boxes(self._source, beside):
                _require_no_doubt(beside, self._images)
            return self._from_beside(beside)
        if (boxes := self._voc(sure=False)) is not None:
            return self._of_lists([boxes])
        if found.refused:
            raise found.refused[0]
        if found.unclear and self._images:
            raise _unclear(found.unclear)
        if named_by_folder(self._images):
            return self._from_names(lambda name: PurePosixPath(name).parent.name, FOLDERS)
        _require_labels(self._images)
        labelled = self._from_own_names()
        if found.ignored:
            others = len(found.ignored) - 1
            more = f" and {others} more text files list" if others else " lists"
            labelled.warnings.append(
                f"The labels are taken from the file names: {shown(found.ignored[0])}{more} none "
                "of the images."
            )
        return labelled

    def _from_manifests(self) -> FoundLabels:
        if own := own_lists(self._names):
            return self._from_files(own)
        found = find_lists(self._source, self._files)
        if not found.lists:
            raise LabelsNotFoundError(
                "labels_not_found",
                "The dataset holds no labels.csv or labels.tsv, and no list in another format "
                "that is known.",
                "Add one with the columns filename,text, or take labels from the file names.",
            )
        return self._of_lists(found.lists)

    def _named(self, file: str) -> str:
        if (name := self._files.find("", file)) is not None:
            return name
        raise LabelsNotFoundError(
            "labels_not_found",
            f"The dataset holds no file {shown(file)!r} to take labels from.",
            "Give the list's path in the dataset.",
        )

    def _from_files(self, names: Sequence[str]) -> FoundLabels:
        return self._of_lists([read_list(self._source, name, self._files) for name in names])

    def _of_lists(self, lists: Sequence[LabelList]) -> FoundLabels:
        found = from_lists(lists, self._images, self._files, self._source.limits.files)
        found.ignored -= len(lists)
        return found

    def _from_asked_beside(self) -> FoundLabels:
        """Return the labels of files beside images, in which classes are texts if that is said."""
        if beside := files_beside(self._names, self._images):
            return self._from_beside(beside, sure=True)
        if (boxes := self._voc(sure=True)) is not None:
            return self._of_lists([boxes])
        raise LabelsNotFoundError(
            "labels_not_found", "No image has a text file beside it.", HOW_TO_LABEL
        )

    def _voc(self, *, sure: bool) -> LabelList | None:
        beside = files_beside(self._names, self._images, (".xml",))
        return read_voc(self._source, beside, sure=sure)

    def _from_beside(self, beside: Mapping[str, str], *, sure: bool = False) -> FoundLabels:
        if are_boxes(self._source, beside):
            boxes = read_yolo(self._source, beside, self._names, sure=sure)
            return self._of_lists([boxes])
        found = FoundLabels(BESIDE)
        texts = texts_beside(self._source, self._images, beside, found)
        _add_labels(found, texts, NONE_BESIDE)
        found.notes.append(
            f"Text files beside the images: {len(beside)} of {len(self._images)} images have one."
        )
        found.ignored -= len(set(beside.values()))
        return found

    def _from_own_names(self) -> FoundLabels:
        """Return the names of the files, but of folders whose names are numbers and the like."""
        unnamed = unnamed_folders(self._images)
        label_of, source = _label_reader("filename")
        named = FoundLabels(source)
        texts = (
            (name, None if PurePosixPath(name).parent in unnamed else label_of(name))
            for name in self._images
        )
        _add_labels(named, texts, UNNAMED)
        for folder, what in unnamed.items():
            named.warnings.append(
                f"The images in {shown(str(folder))} are taken for unlabelled: their names are "
                f"{what}. List their texts, or say that they are the texts: --labels filename (in "
                'a request "labels": "filename").'
            )
        return named

    def _from_names(self, label_of: Callable[[str], str | None], source: str) -> FoundLabels:
        found = FoundLabels(source)
        _add_labels(found, ((name, label_of(name)) for name in self._images), NO_MATCH)
        if source == FOLDERS:
            count = len({PurePosixPath(name).parent for name in self._images})
            found.notes.append(f"Folders named by label: {count} with {len(self._images)} images.")
        return found


def _require_no_doubt(beside: Mapping[str, str], images: Sequence[str]) -> None:
    """Raise ReadsmithError labels_ambiguous where few images have a text file beside them.

    A .gt.txt is always a label; notes.txt beside notes.png may be anything.
    """
    certain = any(name.lower().endswith(ENDINGS[0]) for name in beside.values())
    if not certain and 2 * len(beside) < len(images):
        raise DatasetError(
            "labels_ambiguous",
            f"{len(beside)} of {len(images)} images have a text file beside them, as "
            f"{shown(next(iter(beside.values())))}: it is not certain whether these hold the "
            "labels.",
            "Say where the labels are: --labels beside, or --labels filename for the file names "
            '(in a request "labels": "beside" or "filename").',
        )


def _require_labels(images: Iterable[str]) -> None:
    """Raise ReadsmithError labels_not_found for images whose names cannot be labels."""
    paths = list(map(PurePosixPath, images))
    stems = [path.stem for path in paths]
    if (what := why_no_labels(stems)) is None:
        return
    in_folders = len({path.parent for path in paths}) > 1
    examples = ", ".join(shown(stem) for stem in stems[:3])
    raise LabelsNotFoundError(
        "labels_not_found",
        f"There is no list of labels, and the file names are {what} ({examples}, …), not what the "
        "images say.",
        HOW_TO_LABEL + HOW_BY_FOLDER * in_folders,
    )


def _unclear(names: Sequence[str]) -> DatasetError:
    listed = ", ".join(map(shown, names[:3]))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    spreadsheet = any(name.lower().endswith((".xlsx", ".xls", ".ods")) for name in names)
    save = "Save the spreadsheet as CSV UTF-8. " if spreadsheet else ""
    return DatasetError(
        "labels_ambiguous",
        f"{listed}{more} may hold the labels, but in no format that is read.",
        f"{save}Give a labels.csv with the columns filename,text (docs/formats.md shows what else "
        f"is read); --labels {shown(f'file:{names[0]}')} says why that one is not. If the file "
        'names are the labels, say so: --labels filename (in a request "labels": "filename").',
    )


def _decide(found: FoundLabels, relabel: Mapping[str, str | None], images: Sequence[str]) -> None:
    found.decided = {name: relabel[name] for name in images if name in relabel}
    found.unknown = len(relabel) - len(found.decided)
    # A decided label also replaces one that was missing, unusable or conflicting.
    files = {shown(name) for name in found.decided}
    found.problems = [problem for problem in found.problems if problem.file not in files]


def _add_labels(found: FoundLabels, texts: Iterable[tuple[str, str | None]], why_none: str) -> None:
    """Add the usable labels, by name, and the problems of the others."""
    names, labels = Texts(), Texts()
    for name, text in texts:
        if (label := found.usable(name, text, why_none)) is not None:
            names.append(name)
            labels.append(label)
    found.labels = TextTable(names, labels)


def _from_shards(source: ShardSource, how: Labels) -> FoundLabels:
    if how in ("manifest", "beside") and not source.labelled:
        raise LabelsNotFoundError(
            "labels_not_found",
            "No image in the shards has a text file beside it.",
            "Put 0017.txt beside 0017.png, or take labels from the file names.",
        )
    beside = how in ("auto", "manifest", "beside") and source.labelled
    if how == "auto" and not beside:
        _require_labels(source.images)
    label_of, where = _label_reader(how)
    found = FoundLabels(BESIDE if beside else where)
    found.ignored = source.ignored
    found.problems += [unprintable(name) for name in source.images if not printable(name)]
    texts = (
        (name, source.text(index) if beside else label_of(name))
        for index, name in enumerate(source.images)
        if printable(name)
    )
    _add_labels(found, texts, NONE_BESIDE if beside else NO_MATCH)
    return found


def _label_reader(how: Labels) -> tuple[Callable[[str], str | None], str]:
    """Return the function from a file's name to its label, and its description."""
    if not isinstance(how, FilenameLabelSource):
        return lambda name: PurePosixPath(name).stem, FILE_NAMES
    return LabelPattern(how.filename.pattern), f"file names by {how.filename.pattern}"
