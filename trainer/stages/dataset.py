"""Stage 2: check a dataset, drop what cannot be learned from, and split the rest."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import ReadsmithError
from shared.manifest import ImageSizes
from shared.preprocessing import ImageRejectedError, ImageSpec, open_image
from shared.vocabulary import Vocabulary, required_time_steps
from trainer.dataset import Base, Dataset, LabelledImage, Rehearsal
from trainer.image_choice import choose_image_spec, share_of_brightness, time_steps
from trainer.image_source import ImageSource, UnreadableEntryError, open_source
from trainer.labels import FoundLabels, Problem, find_labels
from trainer.requests import JobRequest, Labels
from trainer.safe_zip import DEFAULT_LIMITS, DatasetLimits
from trainer.seen_images import is_among
from trainer.threads import map_in_threads

MIN_IMAGES = 10
"""With fewer usable images nothing can be learned and measured."""

MIN_SEEN = 5
"""A character seen less often than this is named in a warning."""

TEST_SHARE = 0.1
VALIDATION_SHARE = 0.1
LISTED_PROBLEMS = 100
"""The summary lists at most this many files; all are counted."""


@dataclass
class _Checked:
    """Usable images and what was found out about them."""

    images: list[LabelledImage] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    brightness: list[float] = field(default_factory=list)
    """Of each picture: how much of its contrast is in its brightness."""
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class _Picture:
    digest: bytes
    size: tuple[int, int]
    mode: str
    brightness: float


def load_dataset(
    path: Path,
    request: JobRequest,
    base: Base | None = None,
    limits: DatasetLimits = DEFAULT_LIMITS,
) -> Dataset:
    """Check the labelled images in a folder or zip and split them by the request's seed.

    base: the earlier version whose image spec and characters are kept.
    Raises ReadsmithError (too_few_images and others), which says why images were left out.
    """
    source = open_source(path, limits)
    found = find_labels(source, request.labels)
    checked = _check_pictures(source, found)
    _require_enough(checked, found)
    labels = [image.label for image in checked.images]
    if base is None:
        spec, reasons = choose_image_spec(checked.sizes, checked.brightness, labels, request)
    else:
        spec, reasons = base.image, dict.fromkeys(ImageSpec.model_fields, "as in the base version")
    _drop_too_long(checked, spec)
    _require_enough(checked, found)
    seen = base.seen if base else frozenset()
    rehearsal = base.rehearsal if base else Rehearsal.empty(spec)
    train, validation, test = split(checked.images, request, seen)
    vocabulary = _vocabulary([image.label for image in checked.images], base)
    parts = {"train": len(train), "validation": len(validation), "test": len(test)}
    summary = _summary(checked, found, vocabulary) | {
        "split": parts,
        "image": spec.model_dump() | {"time_steps": time_steps(spec)},
        "reasons": reasons,
    }
    if leaked := sum(is_among(image, seen) for image in test):
        summary["warnings"].append(
            f"The base version was trained on {leaked} of the {len(test)} test images: "
            "the figures look better than they are. Add images that it has not seen."
        )
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
        summary,
    )


def check_dataset(
    path: Path, request: JobRequest, limits: DatasetLimits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """Return the summary of a dataset as a job would see it; raises ReadsmithError."""
    return load_dataset(path, request, limits=limits).summary


def labelled_images(
    path: Path, labels: Labels, limits: DatasetLimits = DEFAULT_LIMITS
) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, label and bytes of every usable image of a folder or zip, duplicates dropped."""
    source = open_source(path, limits)
    for image in _check_pictures(source, find_labels(source, labels)).images:
        yield image.name, image.label, source.read(image.name)


def _vocabulary(labels: Sequence[str], base: Base | None) -> Vocabulary:
    found = Vocabulary.from_labels(labels).characters
    known = base.vocabulary.characters if base else ()
    return Vocabulary((*known, *(character for character in found if character not in known)))


def split(
    images: Sequence[LabelledImage], request: JobRequest, seen: frozenset[str] = frozenset()
) -> tuple[tuple[LabelledImage, ...], ...]:
    """Split into train, validation and test by the seed.

    One image of every character seen fewer than MIN_SEEN times is kept in the training part,
    since a model cannot read what it never saw. Images that the base version has seen come into
    the test part only where there are no others. limit_images bounds training and validation
    together; the test part is the same with and without it.
    """
    order = np.random.default_rng(request.seed).permutation(len(images))
    shuffled = [images[index] for index in order]
    test_count = max(1, round(len(images) * TEST_SHARE))
    rare = _holding_rare_characters(shuffled)
    candidates = [image for image in shuffled if image.name not in rare]
    candidates.sort(key=lambda image: is_among(image, seen))  # stable
    test = candidates[:test_count]
    in_test = {image.name for image in test}
    rest = [image for image in shuffled if image.name not in in_test]
    rest.sort(key=lambda image: image.name not in rare)  # stable: the rare ones first, for training
    limit = request.hyperparameters.limit_images
    if isinstance(limit, int):
        rest = rest[:limit]
    train_count = len(rest) - max(1, round(len(rest) * VALIDATION_SHARE / (1 - TEST_SHARE)))
    return tuple(rest[:train_count]), tuple(rest[train_count:]), tuple(test)


def _holding_rare_characters(images: Sequence[LabelledImage]) -> set[str]:
    counts = Counter(character for image in images for character in image.label)
    missing = {character for character, count in counts.items() if count < MIN_SEEN}
    names = set()
    for image in images:
        if missing & set(image.label):
            names.add(image.name)
            missing -= set(image.label)
    return names


def _check_pictures(source: ImageSource, found: FoundLabels) -> _Checked:
    """Decode every labelled image once; keep one of each content."""
    checked = _Checked(problems=list(found.problems))
    names = sorted(found.labels)
    first: dict[bytes, str] = {}
    conflicting: set[str] = set()
    pictures = map_in_threads(lambda name: _look_at(source, name), names)
    for name, picture in zip(names, pictures, strict=True):
        if isinstance(picture, Problem):
            checked.problems.append(picture)
            continue
        label = found.labels[name]
        other = first.setdefault(picture.digest, name)
        if other == name:
            checked.images.append(LabelledImage(name, label, picture.digest.hex()))
            checked.sizes[picture.size] += 1
            checked.modes[picture.mode] += 1
            checked.brightness.append(picture.brightness)
        elif found.labels[other] == label:
            checked.problems.append(Problem("duplicate", name, f"Same picture as {other}."))
        else:
            conflicting.add(other)
            detail = f"Same picture as {other}, labelled {found.labels[other]!r}, not {label!r}."
            checked.problems.append(Problem("conflicting_labels", name, detail))
    _drop_conflicting(checked, conflicting)
    return checked


def _look_at(source: ImageSource, name: str) -> _Picture | Problem:
    try:
        image = open_image(source.read(name))
    except UnreadableEntryError as error:
        return Problem("unreadable", name, f"It {error}.")
    except ImageRejectedError as error:
        return Problem("unreadable", name, error.message)
    content = hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes())
    return _Picture(content.digest(), image.size, image.mode, share_of_brightness(image))


def _drop_conflicting(checked: _Checked, names: set[str]) -> None:
    detail = "Another file holds the same picture with another label."
    checked.problems += [Problem("conflicting_labels", name, detail) for name in sorted(names)]
    checked.images = [image for image in checked.images if image.name not in names]


def _drop_too_long(checked: _Checked, spec: ImageSpec) -> None:
    steps = time_steps(spec)
    kept = []
    for image in checked.images:
        needed = required_time_steps(image.label)
        if needed <= steps:
            kept.append(image)
        else:
            detail = f"Its label needs {needed} time steps, the model has {steps}."
            checked.problems.append(Problem("label_too_long", image.name, detail))
    checked.images = kept


def _require_enough(checked: _Checked, found: FoundLabels) -> None:
    if len(checked.images) >= MIN_IMAGES:
        return
    reasons = Counter(problem.kind for problem in checked.problems)
    left_out = ", ".join(f"{count} {kind}" for kind, count in reasons.most_common()) or "none"
    each = [f"{problem.file}: {problem.detail}" for problem in checked.problems[:LISTED_PROBLEMS]]
    more = len(checked.problems) - len(each)
    raise ReadsmithError(
        "too_few_images",
        f"{len(checked.images)} usable labelled images were found (labels from {found.source}); "
        f"left out: {left_out}; other files: {found.ignored}."
        + (f" Left out are {' '.join(each)}" if each else "")
        + (f" And {more} more." if more else ""),
        f"At least {MIN_IMAGES} are needed; a few hundred are better.",
    )


def _summary(checked: _Checked, found: FoundLabels, vocabulary: Vocabulary) -> dict[str, Any]:
    labels = [image.label for image in checked.images]
    seen = Counter("".join(labels))
    rare = {
        character: seen[character]
        for character in vocabulary.characters
        if seen[character] < MIN_SEEN
    }
    return {
        "images": len(labels),
        "found": len(labels) + len(checked.problems),
        "ignored_files": found.ignored,
        "labels_from": found.source,
        "left_out": dict(Counter(problem.kind for problem in checked.problems).most_common()),
        "problems": [asdict(problem) for problem in checked.problems[:LISTED_PROBLEMS]],
        "warnings": _warnings(rare, found),
        "vocabulary": "".join(vocabulary.characters),
        "rare_characters": rare,
        "label_lengths": {str(n): c for n, c in sorted(Counter(map(len, labels)).items())},
        "sizes": {f"{w}x{h}": n for (w, h), n in checked.sizes.most_common(20)},
        "different_sizes": len(checked.sizes),
        "modes": dict(checked.modes.most_common()),
    }


def _warnings(rare: dict[str, int], found: FoundLabels) -> list[str]:
    warnings = []
    if rare:
        listed = " ".join(rare)
        warnings.append(
            f"{len(rare)} characters are seen fewer than {MIN_SEEN} times "
            f"and will be read badly: {listed}"
        )
    numbered = sum("_" in label or "-" in label for label in found.labels.values())
    if found.source == "file names" and numbered > len(found.labels) / 2:
        warnings.append(
            "Most file names hold _ or -, which now belong to the labels; if they only number "
            "the files, give a pattern such as ^(.+)[_-][0-9]+$"
        )
    return warnings
