"""The likeliest texts of an image among those that an automaton accepts.

CTC prefix beam search (Hannun et al. 2014): prefixes grow from left to right, and the
probabilities of all paths that spell the same prefix are summed. Each prefix is weighted by the
best path that completes it to an accepted text. So the beam holds no dead ends, and if any
accepted text has a probability above 0, one is found.
"""

import heapq
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.patterns.automaton import Automaton
from shared.recognition.search.lookahead import Lookahead

CUTOFF: Final = 1e-7
"""A prefix is dropped if its share, relative to the likeliest prefix of its step, is lower."""

Classes = tuple[int, ...]
PrefixState = tuple[int, float, float]
"""A prefix's automaton state; the sums of its paths that end in a blank, in its last character.

Both include the best completion and are relative to the best path of all, against underflow.
"""


def search(
    probabilities: NDArray[np.float32],
    automaton: Automaton,
    *,
    width: int,
    cutoff: float = CUTOFF,
) -> list[tuple[Classes, float]]:
    """Return accepted texts and the sums of their paths within the beam, the likeliest first.

    probabilities: softmax output of one image, (T, classes), the blank last. width: the prefixes
    retained at every step, and so the maximum returned; the list is empty only if no accepted
    text has a probability above 0. With an unlimited width and a cutoff of 0 the sums are the
    texts' probabilities.
    """
    lookahead = Lookahead.of(probabilities, automaton)
    best = lookahead.after_blank[0][0]
    if best == -math.inf:
        return []
    beam: dict[Classes, PrefixState] = {(): (0, 1.0, 0.0)}
    for step in range(len(probabilities)):
        grown = _repeat(beam, lookahead, step)
        _extend(beam, grown, lookahead, step, _Threshold(grown, width, cutoff))
        likeliest = sorted(grown.items(), key=lambda item: -item[1][1] - item[1][2])
        lowest = cutoff * sum(likeliest[0][1][1:])
        beam = {text: each for text, each in likeliest[:width] if sum(each[1:]) > lowest}
    return [(text, math.exp(best) * (blank + spelt)) for text, (_, blank, spelt) in beam.items()]


class _Threshold:
    """The share that a new prefix must exceed to be among the likeliest of its step."""

    def __init__(self, grown: dict[Classes, PrefixState], width: int, cutoff: float) -> None:
        self._width = width
        self._highest = [blank + spelt for _, blank, spelt in grown.values()]
        self.value = cutoff * max(self._highest)
        heapq.heapify(self._highest)
        self._raise()

    def add(self, share: float) -> None:
        push = heapq.heappush if len(self._highest) < self._width else heapq.heappushpop
        push(self._highest, share)
        self._raise()

    def _raise(self) -> None:
        if len(self._highest) == self._width:
            self.value = max(self.value, self._highest[0])


def _repeat(
    beam: dict[Classes, PrefixState], lookahead: Lookahead, step: int
) -> dict[Classes, PrefixState]:
    """Return every prefix after a step that emits a blank or its last character again."""
    grown: dict[Classes, PrefixState] = {}
    row = lookahead.logarithms[step].tolist()
    before, after = lookahead.after_blank[step], lookahead.after_blank[step + 1]
    for text, (state, blank, spelt) in beam.items():
        last = text[-1] if text else -1
        from_last = lookahead.after_character.item(step, state, last)
        blanks = row[-1] + after[state]
        again = row[last] + lookahead.after_character.item(step + 1, state, last)
        grown[text] = (
            state,
            _part(blank, blanks - before[state]) + _part(spelt, blanks - from_last),
            _part(spelt, again - from_last),
        )
    return grown


def _extend(
    beam: dict[Classes, PrefixState],
    grown: dict[Classes, PrefixState],
    lookahead: Lookahead,
    step: int,
    threshold: _Threshold,
) -> None:
    """Add every prefix that is one character longer and exceeds the threshold."""
    for text, (state, blank, spelt) in beam.items():
        last = text[-1] if text else -1
        from_blank = lookahead.after_blank[step][state]
        from_last = lookahead.after_character.item(step, state, last)
        for character, path in lookahead.extensions(step, state):
            share = _part(blank, path - from_blank)
            if character != last:
                share += _part(spelt, path - from_last)
            if share <= threshold.value:
                # Extensions come in falling order, so the rest are lower too. Only a repeated
                # character proves nothing: it counts the paths that end in a blank alone.
                if character == last:
                    continue
                break
            longer = (*text, character)
            target = lookahead.state_after(state, character)
            if longer in grown:
                _, known_blank, known_spelt = grown[longer]
                grown[longer] = (target, known_blank, known_spelt + share)
            else:
                grown[longer] = (target, 0.0, share)
                threshold.add(share)


def _part(share: float, logarithm: float) -> float:
    return share * math.exp(logarithm) if share else 0.0
