"""Which characters a model can predict: those of the labels, and those that few labels missed."""

import string
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Final

from shared.errors import DatasetError
from shared.recognition.image_spec import Direction
from shared.recognition.vocabulary import Vocabulary
from shared.store.builtin import STARTERS, builtin_store
from shared.texts import shown
from trainer.pipeline.datasets.dataset import Base
from trainer.schemas.job_request import JobRequest, ListedCharacters

CLASSES: Final = (
    string.digits,
    string.ascii_lowercase,
    string.ascii_uppercase,
    "αβγδεζηθικλμνξοπρστυφχψω",
    "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ",
    "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ",
)
"""Labels that hold one character of a class may hold any other, too."""


def choose_vocabulary(
    labels: Iterable[str], request: JobRequest, base: Base | None, direction: Direction = "ltr"
) -> Vocabulary:
    """Return what the request asks for, after the characters that the base version knows.

    direction: of the text.
    Raises DatasetError (characters_missing) if labels hold characters that the request leaves out.
    """
    seen = Counter(chain.from_iterable(labels))
    known = base.vocabulary.characters if base else ()
    wanted = {*known, *seen}
    if isinstance(request.vocabulary, ListedCharacters):
        wanted = {*known, *request.vocabulary.characters}
        if missing := sorted(seen.keys() - wanted):
            raise DatasetError(
                "characters_missing",
                f"Labels hold characters that vocabulary leaves out: {shown(''.join(missing))}.",
                "Add them to vocabulary, or correct the labels.",
                "vocabulary",
            )
    elif request.vocabulary == "auto" and base is None and request.base == "starter":
        wanted |= _open(seen, request)
    characters = (*known, *sorted(wanted - set(known)))
    return Vocabulary(characters, right_to_left=direction == "rtl")


def _open(seen: Counter[str], request: JobRequest) -> set[str]:
    """Return the characters of the classes seen, of those that the starter knows.

    Only while characters occur once: their share of all is what the next labels will hold of
    characters that were not seen yet. (Good 1953, "The population frequencies of species".)
    """
    starter = STARTERS.get(request.settled_preset)
    if starter is None or 1 not in seen.values():
        return set()
    store = builtin_store()
    known = store.manifest(starter, store.versions(starter)[-1]).vocabulary
    shown_classes = (each for each in CLASSES if not seen.keys().isdisjoint(each))
    return set(chain.from_iterable(shown_classes)).intersection(known)
