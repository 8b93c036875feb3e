"""Stage 2: check a dataset, drop unusable images, and split the rest."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from shared.errors import TooFewImagesError
from shared.recognition.image_spec import ImageSpec
from shared.recognition.preprocessing import fit, open_image
from shared.recognition.vocabulary import required_time_steps
from shared.store.manifest import ImageSizes
from shared.texts import shown
from trainer.pipeline.datasets.clean import (
    Checked,
    check_images,
    split_corrections,
    unlabelled_images,
)
from trainer.pipeline.datasets.dataset import Base, Dataset, Rehearsal
from trainer.pipeline.datasets.image_table import ImageTable, LabelledImage
from trainer.pipeline.datasets.inputs.image_spec import time_steps, time_steps_of
from trainer.pipeline.datasets.inputs.measure import measure_image_spec
from trainer.pipeline.datasets.inputs.two_rows import lines_of
from trainer.pipeline.datasets.labels.cut_out import cut_out
from trainer.pipeline.datasets.labels.found import DatasetProblem, FoundLabels
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.labels.unseen_characters import fold_labels
from trainer.pipeline.datasets.labels.vocabulary import choose_vocabulary
from trainer.pipeline.datasets.parts.folds import fold
from trainer.pipeline.datasets.parts.sides import Sides
from trainer.pipeline.datasets.parts.split import Split, split
from trainer.pipeline.datasets.seen_images import is_among
from trainer.pipeline.datasets.sources.image_files import IMAGE_ENDINGS
from trainer.pipeline.datasets.sources.marked.photographs import Photographs
from trainer.pipeline.datasets.sources.source import ImageSource, JoinedSource, open_source
from trainer.pipeline.datasets.summary import NAMED_FILES, describe_split, summarise
from trainer.schemas.job_request import JobRequest, Labels
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits

FEW = 150
"""Below so many images, a test part is too few to measure with, and too many to do without."""
MIN_IMAGES = 10
"""Fewer images with a text are too few to train on and to measure."""

CORRECTIONS = "corrections"
"""The folder under which a dataset lists the corrections that are added to it."""
OWN_LIMITS = DatasetLimits(files=2**31, bytes=2**62)
"""For a zip that the trainer has written itself."""


def load_dataset(
    path: Path,
    request: JobRequest,
    base: Base | None = None,
    limits: DatasetLimits = DEFAULT_LIMITS,
    corrections: Path | None = None,
) -> Dataset:
    """Check the labelled images in a folder, a zip or shards and split them by the request's seed.

    base: the earlier version whose image spec and characters are used.
    corrections: a zip of images and a labels.csv, all for the training part.
    Raises ReadsmithError: too_few_images, which says why images were left out, and others.
    """
    source, found = _labelled(path, request, limits)
    if corrections is not None:
        source = _add_corrections(source, corrections, found, request.relabel)
    return split_dataset(source, found, request, base)


def split_dataset(
    source: ImageSource, found: FoundLabels, request: JobRequest, base: Base | None = None
) -> Dataset:
    """Check the images whose labels were found and split them; raises as load_dataset does."""
    checked = check_images(source, found)
    _require_enough(checked, found)
    spec, reasons = _image_spec(source, checked, found, request, base)
    _drop_too_long(source, checked, spec)
    _require_enough(checked, found)
    seen = base.seen if base else frozenset()
    rehearsal = _rehearsal(base, source, checked) if base else Rehearsal()
    own, added = split_corrections(checked, found)
    sides = Sides.of(own, found)
    done = _parted(own, request, base, sides, few_are_folded=not found.detects)
    train, validation, test = done.parts
    # Corrections are images that the model got wrong: in the test part they would not represent
    # the images that come in.
    train += added
    learns_more = request.self_training == "auto" and done.folds
    unlabelled = unlabelled_images(source, found, checked, request.seed) if learns_more else None
    vocabulary = choose_vocabulary(checked.images.labels, request, base, spec.direction)
    summary = summarise(checked, found, vocabulary) | {
        "split": {"train": len(train), "validation": len(validation), "test": len(test)},
        "folds": len(done.folds),
        "unlabelled": len(unlabelled or ()),
        "image": spec.model_dump() | {"time_steps": time_steps(spec)},
        "reasons": reasons,
    }
    describe_split(done, sides, summary)
    summary["warnings"] += _leaks(test, seen)
    heights = np.repeat([h for _, h in checked.sizes], list(checked.sizes.values()))
    return Dataset(
        source,
        spec,
        vocabulary,
        train,
        validation,
        test,
        seen,
        rehearsal,
        float(np.median(heights)),
        ImageSizes.of(checked.sizes),
        done.folds,
        unlabelled or ImageTable(),
        summary,
        photographs=Photographs(source, found.boxes) if found.detects else None,
    )


def _leaks(test: ImageTable, seen: frozenset[str]) -> list[str]:
    leaked = sum(is_among(image, seen) for image in test)
    if not leaked:
        return []
    return [
        f"The base version was trained on {leaked} of the {len(test)} test images: "
        "the metrics are too good. Add images that it was not trained on."
    ]


def _parted(
    images: ImageTable,
    request: JobRequest,
    base: Base | None,
    sides: Sides,
    *,
    few_are_folded: bool,
) -> Split:
    """Split; few_are_folded: whether no detector needs images that it does not learn from."""
    if few_are_folded and _cross_validates(images, request, base, sides):
        return fold(images, request, sides)
    done = split(images, request, base.seen if base else frozenset(), sides)
    _require_parts(done)
    return done


def _cross_validates(
    images: ImageTable, request: JobRequest, base: Base | None, sides: Sides
) -> bool:
    """Return whether all images are learned from: too few are there to hold some back."""
    if request.evaluation != "auto":
        return request.evaluation == "cross_validation"
    ends_by_itself = request.hyperparameters.epochs == "auto"
    few = len(images) < FEW and base is None and not sides.parts.any()
    return few and ends_by_itself and request.can_cross_validate


def _labelled(
    path: Path, request: JobRequest, limits: DatasetLimits
) -> tuple[ImageSource, FoundLabels]:
    """Return the images, lines cut out of them included, and their labels."""
    source = open_source(path, limits)
    found = find_labels(source, request.labels, request.relabel)
    if request.fold_labels:
        fold_labels(found)
    return cut_out(source, found, may_detect=request.may_detect), found


def _add_corrections(
    source: ImageSource, corrections: Path, found: FoundLabels, relabel: Mapping[str, str | None]
) -> ImageSource:
    """Return the dataset with the corrections, whose labels become the valid ones."""
    further = open_source(corrections, OWN_LIMITS)
    texts = find_labels(further, "manifest").labels
    labels = {f"{CORRECTIONS}/{name}": text for name, text in texts.items()}
    found.corrections = frozenset(labels)
    found.unknown -= len((labels.keys() & relabel.keys()) - found.decided.keys())
    found.decided |= {name: relabel.get(name, text) for name, text in labels.items()}
    return JoinedSource(source, further, CORRECTIONS)


def _image_spec(
    source: ImageSource,
    checked: Checked,
    found: FoundLabels,
    request: JobRequest,
    base: Base | None,
) -> tuple[ImageSpec, dict[str, str]]:
    if base is None:
        readable = checked.images.where(lambda image: image.label != "")
        spec, reasons = measure_image_spec(source, readable, request, frozenset(found.broken))
    else:
        spec, reasons = base.image, dict.fromkeys(ImageSpec.model_fields, "as in the base version")
    if spec.rows == 1:
        _drop_broken(checked, found)
    else:
        why = reasons["rows"].removeprefix("2: ")
        found.notes.append(f"Two rows of text are joined into one line, the upper first: {why}.")
        if found.broken:
            breaks = len(found.broken)
            found.notes.append(f"{breaks} labels have a line break: there, texts have a space.")
    return spec, reasons


def _drop_broken(checked: Checked, found: FoundLabels) -> None:
    """Leave out the images whose labels have a line break, where images have one row of text."""

    def has_one_row(image: LabelledImage) -> bool:
        if image.name in found.broken:
            detail = "Its label has a line break, and the images are taken to have one row of text."
            checked.problems.append(DatasetProblem("unprintable_label", shown(image.name), detail))
        return image.name not in found.broken

    checked.images = checked.images.where(has_one_row)


def _rehearsal(base: Base, source: ImageSource, checked: Checked) -> Rehearsal:
    """Return the base's sampled images without those whose labels were corrected since."""
    if not base.rehearsal.labels:
        return base.rehearsal
    # They would otherwise be rehearsed with their old, wrong labels.
    images = (open_image(source.read(name)) for name in checked.decided)
    return base.rehearsal.without({fit(image, base.image).tobytes() for image in images})


def labelled_images(
    path: Path, labels: Labels, limits: DatasetLimits = DEFAULT_LIMITS, *, whole: bool = False
) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, label and bytes of every usable image of a set, without duplicates.

    whole: photographs, where each has one line, instead of the lines that are cut out of them.
    """
    source = open_source(path, limits)
    found = find_labels(source, labels)
    source = cut_out(source, found, may_detect=whole)
    photographs = Photographs(source, found.boxes if found.detects else {})
    for image in check_images(source, found).images:
        yield image.name, image.label, source.read(photographs.file(image.name))


def _drop_too_long(source: ImageSource, checked: Checked, spec: ImageSpec) -> None:
    images: Sequence[LabelledImage] = checked.images
    if spec.rows == 2:
        images, spec = lines_of(source, images, spec), spec.of_lines

    def fits(image: LabelledImage) -> bool:
        needed, has = required_time_steps(image.label), time_steps_of(image.size, spec)
        if needed > has:
            detail = f"Its label needs {needed} time steps, the model has {has} for it."
            checked.problems.append(DatasetProblem("label_too_long", image.name, detail))
        return needed <= has

    checked.images = checked.images.take([i for i, image in enumerate(images) if fits(image)])


def _require_enough(checked: Checked, found: FoundLabels) -> None:
    count = sum(label != "" for label in split_corrections(checked, found)[0].labels)
    if count >= MIN_IMAGES:
        return
    reasons = Counter(problem.kind for problem in checked.problems)
    left_out = ", ".join(f"{count} {kind}" for kind, count in reasons.most_common()) or "none"
    each = [f"{problem.file}: {problem.detail}" for problem in checked.problems[:NAMED_FILES]]
    more = len(checked.problems) - len(each)
    raise TooFewImagesError(
        "too_few_images",
        f"{count} usable labelled images were found (labels from {found.source}); "
        f"left out: {left_out}; other files: {found.ignored}."
        + (f" Left out are {' '.join(each)}" if each else "")
        + (f" And {more} more." if more else ""),
        f"At least {MIN_IMAGES} are needed; a few hundred are better.{_what_helps(reasons, found)}",
    )


def _require_parts(done: Split) -> None:
    train, validation, test = map(len, done.parts)
    if not train or not validation:
        raise TooFewImagesError(
            "too_few_images",
            f"{train} images are left for training and {validation} for validation, besides {test} "
            "for the test.",
            "Put more images into your training part, or let the images be split for you.",
        )


def _what_helps(reasons: Counter[str], found: FoundLabels) -> str:
    commonest = max(reasons, key=reasons.__getitem__, default=None)
    if commonest == "missing_label" and found.source.startswith("file names by"):
        return " The regular expression does not match most file names: change it."
    if commonest in ("missing_label", "missing_image"):
        return f" The names in {found.source} are not those of the images: correct them."
    if found.ignored > sum(reasons.values()):
        endings = " ".join(sorted(IMAGE_ENDINGS))
        return (
            f" Files are images that end with {endings}; archives inside an archive are not read."
        )
    return ""
