"""Text that runs from right to left, in the order in which a network meets its characters.

Labels and answers are in logical order, as everywhere: the first character is the one that is read
first. The output of a network for such a set is turned around, so that its first time step is at
the right. What runs from left to right within such a line, numbers above all, comes from there with
its last character first. (Unicode Standard Annex #9, for one line without controls.)
"""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from unicodedata import bidirectional

_KINDS = {"R": "<", "AL": "<", "L": "L", "EN": "N", "AN": "N", "CS": ",", "ES": ",", "ET": "T"}
"""Letters of either direction, digits, separators in a number, what stands beside one."""
_MARK, _OTHER = "NSM", " "
_WORD, _NUMBER = r"\b[NT]*L[LNT]*\b", r"\b[NT]*N[NT]*\b"
_LEFT_TO_RIGHT = re.compile(rf"{_WORD}(?:[ ,]+{_WORD})*|{_NUMBER}(?:,{_NUMBER})*")
"""Words with anything between them, and numbers with separators; the same from either end, so that
turning twice changes nothing."""


def is_right_to_left(texts: Iterable[str]) -> bool:
    """Return whether most letters of these texts run from right to left."""
    counts = Counter(_KINDS.get(bidirectional(c)) for c in chain.from_iterable(texts))
    return counts["<"] > counts["L"]


def turned_order(text: str) -> list[int]:
    """Return for each place from the right the index of its character in logical order.

    And the other way round: what runs from left to right is turned, all else stays. Marks stay
    behind their character.
    """
    kinds, clusters = "", list[list[int]]()
    for index, character in enumerate(text):
        kind = bidirectional(character)
        if kind == _MARK and clusters:
            clusters[-1].append(index)
        else:
            clusters.append([index])
            kinds += _KINDS.get(kind, _OTHER)
    for run in _LEFT_TO_RIGHT.finditer(kinds):
        clusters[run.start() : run.end()] = reversed(clusters[run.start() : run.end()])
    return list(chain.from_iterable(clusters))


def turned(text: str) -> str:
    """Return a text from logical order in the order from the right, or back."""
    return "".join(text[index] for index in turned_order(text))
