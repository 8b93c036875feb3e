"""Stage 2: check a dataset, drop what cannot be learned from, and split the rest."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from shared.errors import ReadsmithError
from shared.manifest import ImageSizes
from shared.preprocessing import ImageRejectedError, ImageSpec, open_image
from shared.vocabulary import Vocabulary, required_time_steps
from trainer.dataset import Base, Dataset, LabelledImage, Rehearsal
from trainer.image_choice import choose_image_spec, share_of_brightness, time_steps
from trainer.image_source import ImageSource, JoinedSource, UnreadableEntryError, open_source
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

CORRECTIONS = "corrections"
"""The folder in which a dataset seems to hold the corrections that are added to it."""
OWN_LIMITS = DatasetLimits(files=2**31, bytes=2**62)
"""Of a zip that the trainer has written itself."""


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
    corrections: Path | None = None,
) -> Dataset:
    """Check the labelled images in a folder or zip and split them by the request's seed.

    base: the earlier version whose image spec and characters are kept.
    corrections: a zip of pictures and a labels.csv, all for the training part.
    Raises ReadsmithError (too_few_images and others), which says why images were left out.
    """
    source = open_source(path, limits)
    found = find_labels(source, request.labels, request.relabel)
    if corrections is not None:
        source = _add_corrections(source, corrections, found, request.relabel)
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
    own, added = _apart(checked, found)
    train, validation, test = split(own, request, seen)
    train += added
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


def _add_corrections(
    source: ImageSource, corrections: Path, found: FoundLabels, relabel: Mapping[str, str | None]
) -> ImageSource:
    """Return the dataset with the corrections; take their labels for the right ones."""
    further = open_source(corrections, OWN_LIMITS)
    texts = find_labels(further, "manifest").labels
    labels = {f"{CORRECTIONS}/{name}": text for name, text in texts.items()}
    found.corrections = frozenset(labels)
    found.unknown -= len((labels.keys() & relabel.keys()) - found.decided.keys())
    found.decided |= {name: relabel.get(name, text) for name, text in labels.items()}
    return JoinedSource(source, further, CORRECTIONS)


def _apart(
    checked: _Checked, found: FoundLabels
) -> tuple[list[LabelledImage], tuple[LabelledImage, ...]]:
    """Return the images of the dataset's own, and the corrections."""
    own = [image for image in checked.images if image.name not in found.corrections]
    return own, tuple(image for image in checked.images if image.name in found.corrections)


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

    Each image has its place by its own content, so that leaving some out, or adding some, moves
    hardly any other into another part. One image of every character seen fewer than MIN_SEEN
    times is kept in the training part, since a model cannot read what it never saw. Images that
    the base version has seen come into the test part only where there are no others. limit_images
    bounds training and validation together; the test part is the same with and without it.
    """
    shuffled = sorted(images, key=lambda image: _place(image, request.seed))
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


def _place(image: LabelledImage, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {image.content}".encode()).digest()


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
    """Decode every labelled image once; keep one of each content, a decided one if there is."""
    checked = _Checked(problems=list(found.problems))
    labels = found.labels | found.decided
    names = [*found.decided, *sorted(labels.keys() - found.decided.keys())]
    first: dict[bytes, str] = {}
    conflicting: set[str] = set()
    pictures = map_in_threads(lambda name: _look_at(source, name), names)
    for name, picture in zip(names, pictures, strict=True):
        if isinstance(picture, Problem):
            checked.problems.append(picture)
            continue
        label = labels[name]
        other = first.setdefault(picture.digest, name)
        if other != name:
            checked.problems.append(_copy(name, other, labels, other in found.decided))
            if labels[other] != label and other not in found.decided:
                conflicting.add(other)
        elif label is None:
            checked.problems.append(Problem("dropped", name, "The request leaves it out."))
        else:
            checked.images.append(LabelledImage(name, label, picture.digest.hex()))
            checked.sizes[picture.size] += 1
            checked.modes[picture.mode] += 1
            checked.brightness.append(picture.brightness)
    _drop_conflicting(checked, conflicting)
    return checked


def _copy(name: str, other: str, labels: Mapping[str, str | None], decided: bool) -> Problem:
    """Say what becomes of a file with the same picture as another, whose label may be decided."""
    label, right = labels[name], labels[other]
    if right is None:
        return Problem("dropped", name, f"Same picture as {other}, which the request leaves out.")
    if label == right:
        return Problem("duplicate", name, f"Same picture as {other}.")
    if decided:
        return Problem("corrected", name, f"Same picture as {other}, corrected to {right!r}.")
    detail = f"Same picture as {other}, labelled {right!r}, not {label!r}."
    return Problem("conflicting_labels", name, detail)


def _look_at(source: ImageSource, name: str) -> _Picture | Problem:
    try:
        image = open_image(source.read(name))
    except UnreadableEntryError as error:
        return Problem("unreadable", name, f"It {error}.")
    except ImageRejectedError as error:
        return Problem("unreadable", name, error.message)
    return _Picture(_digest(image), image.size, image.mode, share_of_brightness(image))


def content_hash(data: bytes) -> str:
    """Return the hash of an encoded picture's pixels, as in LabelledImage; ImageRejectedError."""
    return _digest(open_image(data)).hex()


def _digest(image: Image.Image) -> bytes:
    return hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes()).digest()


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
    count = len(_apart(checked, found)[0])
    if count >= MIN_IMAGES:
        return
    reasons = Counter(problem.kind for problem in checked.problems)
    left_out = ", ".join(f"{count} {kind}" for kind, count in reasons.most_common()) or "none"
    each = [f"{problem.file}: {problem.detail}" for problem in checked.problems[:LISTED_PROBLEMS]]
    more = len(checked.problems) - len(each)
    raise ReadsmithError(
        "too_few_images",
        f"{count} usable labelled images were found (labels from {found.source}); "
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
        "corrections": len(_apart(checked, found)[1]),
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
    if found.unknown:
        warnings.append(
            f"Of the names in relabel, {found.unknown} are of no picture in the dataset."
        )
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
