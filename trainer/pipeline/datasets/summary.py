"""The result of checking a dataset, as JSON."""

from collections import Counter
from dataclasses import asdict
from itertools import chain
from typing import Any

from shared.recognition.vocabulary import Vocabulary
from shared.texts import shown
from trainer.pipeline.datasets.clean import Checked, split_corrections
from trainer.pipeline.datasets.labels.labels import FoundLabels
from trainer.pipeline.datasets.split import MIN_SEEN

LISTED_PROBLEMS = 100
"""The summary lists at most this many files; all are counted."""


def summarise(checked: Checked, found: FoundLabels, vocabulary: Vocabulary) -> dict[str, Any]:
    """Describe the usable images, the files left out with their reasons, and warnings."""
    images = checked.images
    seen = Counter(chain.from_iterable(images.labels))
    rare = {
        character: seen[character]
        for character in vocabulary.characters
        if seen[character] < MIN_SEEN
    }
    return {
        "images": len(images),
        "found": len(images) + len(checked.problems),
        "ignored_files": found.ignored,
        "labels_from": found.source,
        "corrections": len(split_corrections(checked, found)[1]),
        "left_out": dict(Counter(problem.kind for problem in checked.problems).most_common()),
        "problems": [asdict(problem) for problem in checked.problems[:LISTED_PROBLEMS]],
        "warnings": _warnings(rare, found),
        "vocabulary": "".join(vocabulary.characters),
        "rare_characters": rare,
        "label_lengths": {str(n): c for n, c in sorted(Counter(map(len, images.labels)).items())},
        "sizes": {f"{w}x{h}": n for (w, h), n in checked.sizes.most_common(20)},
        "different_sizes": len(checked.sizes),
        "modes": dict(checked.modes.most_common()),
    }


def _warnings(rare: dict[str, int], found: FoundLabels) -> list[str]:
    warnings = []
    if found.unknown:
        warnings.append(
            f"{found.unknown} of the names in relabel are not of images in the dataset."
        )
    if found.unread:
        listed = ", ".join(map(shown, found.unread[:3]))
        warnings.append(
            f"The labels are taken from the {found.source}; {listed} is ignored, because a label "
            "file must be named labels.csv or labels.tsv."
        )
    if found.misread:
        warnings.append(
            f"{len(found.misread)} names in the zip are not UTF-8 and may be decoded wrongly, as "
            f"{shown(found.misread[0])}: pack it with another program, or use labels.csv."
        )
    if rare:
        listed = " ".join(rare)
        characters = "1 character is" if len(rare) == 1 else f"{len(rare)} characters are"
        warnings.append(
            f"{characters} seen fewer than {MIN_SEEN} times and will be predicted badly: {listed}"
        )
    # Sets with several images per text number their files, as ABC_1.png and ABC_2.png.
    numbered = sum("_" in label or "-" in label for label in found.labels.values())
    if found.source == "file names" and numbered > len(found.labels) / 2:
        warnings.append(
            "Most file names hold _ or -, which count as part of the labels; if they only number "
            "the files, give a pattern such as ^(.+)[_-][0-9]+$"
        )
    return warnings
