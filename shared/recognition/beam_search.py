"""The likeliest texts of an image among those that an automaton accepts.

CTC prefix beam search (Hannun et al. 2014): texts grow from left to right, and the probabilities
of all paths that spell the same text are summed. Each text is weighed by the best path that
completes it to an accepted one, so nothing is kept that leads nowhere, and whenever any accepted
text has a probability, one is found.
"""

import heapq
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.patterns.automaton import Automaton
from shared.recognition.lookahead import Lookahead

CUTOFF: Final = 1e-7
"""A text is dropped if it is so many times less likely than the likeliest one of its step."""

Classes = tuple[int, ...]
Growing = tuple[int, float, float]
"""A text's state; what its paths come to that end in a blank, and in its last character.

Both with the best completion, and as shares of the best path of all: so nothing underflows.
"""


def search(
    probabilities: NDArray[np.float32],
    automaton: Automaton,
    *,
    width: int,
    cutoff: float = CUTOFF,
) -> list[tuple[Classes, float]]:
    """Return accepted texts and the sum of their paths that were kept, the likeliest first.

    probabilities: softmax output of one image, (T, classes), the blank last. width: texts that
    are kept at every step, and so the most that are returned; none are only if no accepted text
    has any probability. With a width that keeps every text and a cutoff of 0 the sums are the
    texts' probabilities.
    """
    lookahead = Lookahead.of(probabilities, automaton)
    best = lookahead.after_blank[0][0]
    if best == -math.inf:
        return []
    beam: dict[Classes, Growing] = {(): (0, 1.0, 0.0)}
    for step in range(len(probabilities)):
        grown = _stay(beam, lookahead, step)
        _extend(beam, grown, lookahead, step, _Bar(grown, width, cutoff))
        likeliest = sorted(grown.items(), key=lambda item: -item[1][1] - item[1][2])
        faintest = cutoff * sum(likeliest[0][1][1:])
        beam = {text: growing for text, growing in likeliest[:width] if sum(growing[1:]) > faintest}
    return [(text, math.exp(best) * (blank + spelt)) for text, (_, blank, spelt) in beam.items()]


class _Bar:
    """The share that a new text must exceed to be among the likeliest ones of its step."""

    def __init__(self, grown: dict[Classes, Growing], width: int, cutoff: float) -> None:
        self._width = width
        self._highest = [blank + spelt for _, blank, spelt in grown.values()]
        self.height = cutoff * max(self._highest)
        heapq.heapify(self._highest)
        self._raise()

    def add(self, share: float) -> None:
        push = heapq.heappush if len(self._highest) < self._width else heapq.heappushpop
        push(self._highest, share)
        self._raise()

    def _raise(self) -> None:
        if len(self._highest) == self._width:
            self.height = max(self.height, self._highest[0])


def _stay(beam: dict[Classes, Growing], lookahead: Lookahead, step: int) -> dict[Classes, Growing]:
    """Return every text after a step that adds a blank or its last character once more."""
    grown: dict[Classes, Growing] = {}
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
    beam: dict[Classes, Growing],
    grown: dict[Classes, Growing],
    lookahead: Lookahead,
    step: int,
    bar: _Bar,
) -> None:
    """Add to the grown texts every one with one character more that clears the bar."""
    for text, (state, blank, spelt) in beam.items():
        last = text[-1] if text else -1
        from_blank = lookahead.after_blank[step][state]
        from_last = lookahead.after_character.item(step, state, last)
        for character, path in lookahead.extensions(step, state):
            share = _part(blank, path - from_blank)
            if character != last:
                share += _part(spelt, path - from_last)
            if share <= bar.height:
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
                bar.add(share)


def _part(share: float, logarithm: float) -> float:
    return share * math.exp(logarithm) if share else 0.0
