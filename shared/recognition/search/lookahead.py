"""The lookahead of the beam search: the best path from every step to an accepted end."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared.patterns.automaton import Automaton

Extension = tuple[int, float]
"""A next class, and the logarithm of the best path that continues with it."""


@dataclass(frozen=True)
class Lookahead:
    """Logarithms of the best paths' probabilities; minus infinity where none ends accepted.

    after_blank: from a step in a state, if the step before was a blank, (T + 1, states);
    after_character: if it was the text's last character, (T + 1, states + 1, characters), the
    last state DEAD_STATE. The two differ because the same character comes again only after a blank.
    """

    logarithms: NDArray[np.float64]
    after_blank: list[list[float]]
    after_character: NDArray[np.float64]
    targets: NDArray[np.intp]
    """Flat indices into a step of after_character: each state's successor by each class."""
    _extensions: dict[tuple[int, int], list[Extension]] = field(default_factory=dict)

    @classmethod
    def of(cls, probabilities: NDArray[np.float32], automaton: Automaton) -> "Lookahead":
        """Compute from right to left over softmax output of one image, (T, classes)."""
        with np.errstate(divide="ignore"):
            logarithms = np.log(probabilities.astype(np.float64))
        steps, characters = len(logarithms), automaton.next.shape[1]
        states = np.arange(len(automaton.next))
        # The modulus maps DEAD_STATE, -1, to the last row, which stays minus infinity.
        targets = automaton.next % (len(states) + 1) * characters + np.arange(characters)
        after_blank = np.full((steps + 1, len(states)), -math.inf)
        after_character = np.full((steps + 1, len(states) + 1, characters), -math.inf)
        after_blank[steps, automaton.accepting] = 0
        after_character[steps, :-1][automaton.accepting] = 0
        for step in reversed(range(steps)):
            row, blank = logarithms[step, :-1], logarithms[step, -1]
            onwards = row + after_character[step + 1].ravel().take(targets)
            stay = blank + after_blank[step + 1]
            # A state whose best way on is the character just emitted must take its second best.
            first = onwards.argmax(axis=1)
            best = onwards[states, first]
            onwards[states, first] = -math.inf
            here = after_character[step, :-1]
            np.maximum(row + after_character[step + 1, :-1], stay[:, np.newaxis], out=here)
            repeated = np.maximum(here[states, first], onwards.max(axis=1))
            np.maximum(here, best[:, np.newaxis], out=here)
            here[states, first] = repeated
            after_blank[step] = np.maximum(stay, best)
        return cls(logarithms, after_blank.tolist(), after_character, targets)

    def state_after(self, state: int, character: int) -> int:
        """Return the automaton's state after a state and a class."""
        return int(self.targets[state, character] // self.targets.shape[1])

    def extensions(self, step: int, state: int) -> list[Extension]:
        """Return the possible next classes at a step in a state, the best path first."""
        if (step, state) not in self._extensions:
            onwards = self.after_character[step + 1].ravel().take(self.targets[state])
            onwards += self.logarithms[step, :-1]
            order = np.argsort(-onwards)
            sorted_onwards = zip(order.tolist(), onwards[order].tolist(), strict=True)
            self._extensions[step, state] = list(sorted_onwards)
        return self._extensions[step, state]
