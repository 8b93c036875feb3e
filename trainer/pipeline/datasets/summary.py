"""The result of checking a dataset, as JSON."""

from collections import Counter
from dataclasses import asdict
from itertools import chain
from typing import Any

import numpy as np

from shared.recognition.vocabulary import Vocabulary
from shared.texts import shown
from trainer.pipeline.datasets.clean import Checked, split_corrections
from trainer.pipeline.datasets.image_table import ImageTable
from trainer.pipeline.datasets.labels.doubts import doubts, visible
from trainer.pipeline.datasets.labels.found import FoundLabels
from trainer.pipeline.datasets.labels.label_row import Part
from trainer.pipeline.datasets.parts.sides import Sides, repeated
from trainer.pipeline.datasets.parts.split import MIN_SEEN, Split

LISTED_PROBLEMS = 100
"""The summary lists at most this many files; all are counted."""
NAMED_FILES = 10
"""A warning names at most this many."""
SHOWN_REASONS = 3
MIN_ONCE = 20
"""Of fewer labels, many characters occur once."""


def summarise(checked: Checked, found: FoundLabels, vocabulary: Vocabulary) -> dict[str, Any]:
    """Describe the usable images, the files left out with their reasons, and warnings."""
    images = checked.images
    seen = Counter(chain.from_iterable(images.labels))
    lengths = Counter(len(label) for label in images.labels if label)
    rare = {
        character: seen[character]
        for character in vocabulary.characters
        if 0 < seen[character] < MIN_SEEN
    }
    unseen = "".join(sorted(set(vocabulary.characters) - seen.keys()))
    return {
        "images": len(images),
        "found": len(images) + len(checked.problems),
        "ignored_files": found.ignored,
        "labels_from": found.source,
        "label_notes": [*found.notes, *_open_note(unseen)],
        "corrections": len(split_corrections(checked, found)[1]),
        "left_out": dict(Counter(problem.kind for problem in checked.problems).most_common()),
        "problems": [asdict(problem) for problem in checked.problems[:LISTED_PROBLEMS]],
        "warnings": [
            *_warnings(rare, found),
            *_once_seen(seen, checked.images, found),
            *_unreadable(checked),
            *_moving(checked),
            *doubts(found, images, checked.sizes),
        ],
        "vocabulary": "".join(vocabulary.characters),
        "unseen_characters": unseen,
        "rare_characters": rare,
        "label_lengths": {str(n): c for n, c in sorted(lengths.items())},
        "nothing_to_read": len(images) - lengths.total(),
        "sizes": {f"{w}x{h}": n for (w, h), n in checked.sizes.most_common(20)},
        "different_sizes": len(checked.sizes),
        "modes": dict(checked.modes.most_common()),
    }


def _open_note(unseen: str) -> list[str]:
    if not unseen:
        return []
    return [
        f"{len(unseen)} characters that no label holds can be predicted, too: {visible(unseen)} "
        '(vocabulary "closed" keeps them out).'
    ]


def describe_split(done: Split, sides: Sides, summary: dict[str, Any]) -> None:
    """Add to the summary how the parts came about, in figures and sentences, and warnings."""
    cut = [part.name.lower() for part in (Part.VALIDATION, Part.TEST) if part not in sides.parts]
    groups = len(np.unique(sides.groups[repeated(sides.groups)]))
    alike = int(repeated(sides.alike).sum())
    summary |= {
        "parts_from": sides.parts_from or None,
        "groups_from": sides.groups_from or None,
        "groups": groups,
        "near_duplicates": alike,
        "split_notes": [],
    }
    measuring = sum(map(len, done.folds)) or int(sides.measures.sum())
    notes, warnings = summary["split_notes"], summary["warnings"]
    if sides.parts_from:
        rest = f"; {cut[0]} is cut from train" if cut else ""
        notes.append(f"The parts are your own ({sides.parts_from}){rest}.")
    if groups:
        notes.append(f"{groups} groups by {sides.groups_from} stay together.")
    if alike:
        notes.append(f"{alike} images that look like another one with the same label stay with it.")
    if summary["nothing_to_read"]:
        notes.append(f"On {summary['nothing_to_read']} images there is nothing to read.")
    if done.folds:
        notes.append(
            f"All {len(done.parts[0])} images are learned from, and "
            f"{f'{measuring} of them ' * (sides.chosen > 0)}measure in {len(done.folds)} "
            'folds (evaluation "test_part" holds some back).'
        )
    if sides.chosen:
        notes.append(f"{measuring} images were labelled in random order: they alone measure.")
    tested = f"{measuring}" if done.folds else f"{len(done.parts[2])} test"
    others = "folds" if done.folds else "parts"
    for count, what in (
        (done.alike, f"look like ones of the other {others} with the same label"),
        (done.grouped, f"belong to groups by {sides.groups_from} that are in other {others}, too"),
    ):
        if count:
            warnings.append(f"{count} of the {tested} images {what}: the metrics may be too good.")


def _once_seen(seen: Counter[str], images: ImageTable, found: FoundLabels) -> list[str]:
    """Tell where characters are that a single label holds: most often a slip."""
    once = {character for character, count in seen.items() if count == 1}
    if not once or len(images) < MIN_ONCE:
        return []
    places = [
        f"{visible(''.join(sorted(held)))} ({visible(image.label)}, {found.place(image.name)})"
        for image in images
        if (held := once.intersection(image.label))
    ]
    more = f" and {len(places) - NAMED_FILES} more" if len(places) > NAMED_FILES else ""
    return [
        f"Characters that occur once: {', '.join(places[:NAMED_FILES])}{more}. Look whether "
        "they are right; if they are, add images that show them."
    ]


def _unreadable(checked: Checked) -> list[str]:
    """Tell of files that no image can be decoded from, of each reason with its first file."""
    first: dict[str, str] = {}
    reasons: Counter[str] = Counter()
    for problem in checked.problems:
        if problem.kind == "unreadable":
            first.setdefault(problem.detail, problem.file)
            reasons[problem.detail] += 1
    return [
        f"{count} of the files cannot be read and will be left out, as {first[detail]}: {detail}"
        for detail, count in reasons.most_common(SHOWN_REASONS)
    ]


def _moving(checked: Checked) -> list[str]:
    if not checked.moving:
        return []
    listed = ", ".join(map(shown, checked.moving[:NAMED_FILES]))
    more = len(checked.moving) - NAMED_FILES
    return [
        f"{len(checked.moving)} images have several frames or pages that differ ({listed}"
        f"{f' and {more} more' if more > 0 else ''}): the first one alone is read, here and by "
        "/predict. If the text is in another one, save that as a PNG."
    ]


def _warnings(rare: dict[str, int], found: FoundLabels) -> list[str]:
    warnings = []
    if found.unknown:
        warnings.append(
            f"{found.unknown} of the names in relabel are not of images in the dataset."
        )
    warnings += found.warnings
    if found.misread:
        warnings.append(
            f"{len(found.misread)} names in the zip are not UTF-8 and may be decoded wrongly, as "
            f"{shown(found.misread[0])}: pack it with another program, or use labels.csv."
        )
    if rare:
        listed = " ".join(map(visible, rare))
        characters = "1 character is" if len(rare) == 1 else f"{len(rare)} characters are"
        warnings.append(
            f"{characters} seen fewer than {MIN_SEEN} times and will be predicted badly: {listed}"
        )
    return warnings
