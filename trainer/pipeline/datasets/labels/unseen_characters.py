"""Characters that no image can show, or that look like ordinary ones, and labels without them."""

import unicodedata

from shared.texts import shown
from trainer.pipeline.datasets.labels.found import DatasetProblem, FoundLabels
from trainer.pipeline.datasets.sources.text_columns import Texts, TextTable

JOINERS = "\u200c\u200d"
"""Zero-width, and yet part of the spelling in Persian and Indian scripts."""
FILLER = "\u3164"
"""A letter of Hangul that is drawn as nothing."""


def invisible(character: str) -> bool:
    """Tell whether a character cannot be seen, or only as an ordinary space."""
    kind = unicodedata.category(character)
    return kind == "Cf" or (kind == "Zs" and character not in " \u3000") or character == FILLER


def wide_form(character: str) -> bool:
    """Tell whether a character is the full-width form of an ordinary one."""
    return unicodedata.east_asian_width(character) == "F"


def spelt(character: str, label: str) -> bool:
    """Tell whether a character that cannot be seen is part of how a label is spelt."""
    return character in JOINERS and not label.replace(character, "").isascii()


def folded(label: str) -> str:
    """Return a label without what cannot be seen, and with the ordinary forms of wide ones."""
    return "".join(_folded(character, label) for character in label).strip()


def _folded(character: str, label: str) -> str:
    if wide_form(character):
        return unicodedata.normalize("NFKC", character)
    if not invisible(character) or spelt(character, label):
        return character
    return " " if unicodedata.category(character) == "Zs" else ""


def fold_labels(found: FoundLabels) -> None:
    """Fold the labels that were found, and say how many changed; empty ones are left out."""
    names, texts = Texts(), Texts()
    changed = 0
    for name, label in found.labels.items():
        text = folded(label)
        changed += text != label
        if label and not text:
            detail = "Its label holds only characters that cannot be seen."
            found.problems.append(DatasetProblem("empty_label", shown(name), detail))
            continue
        names.append(name)
        texts.append(text)
    found.labels = TextTable(names, texts)
    found.notes.append(
        f"{changed} labels had invisible or full-width characters, which are removed or made "
        "ordinary ones."
    )
