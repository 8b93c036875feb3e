"""Limits on a text as a deterministic finite automaton over a model's classes."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import LimitsError
from shared.patterns.glushkov import START, Positions
from shared.patterns.limits import Limits
from shared.patterns.parser import parse_pattern
from shared.texts import composed

ANYTHING: Final = ".*"
DEAD_STATE: Final = -1
"""The state after a character that no accepted text continues with."""
MAX_STATES: Final = 1000
"""Bounds the time to build an automaton."""
MAX_CELLS: Final = 2_000_000
"""States times characters of the vocabulary times time steps; bounds the time of one image."""


@dataclass(frozen=True)
class Automaton:
    """A deterministic automaton; state 0 is the start.

    next: the state after a state and a class, (states, classes without the blank), DEAD_STATE if
    no accepted text continues so. accepting: may a text end in this state, (states,).
    """

    next: NDArray[np.intp]
    accepting: NDArray[np.bool_]

    @property
    def classes(self) -> set[int]:
        """The classes that some accepted text may hold."""
        return set(np.flatnonzero((self.next != DEAD_STATE).any(axis=0)).tolist())

    def accepts(self, classes: Iterable[int]) -> bool:
        """Tell whether it accepts a text."""
        state = 0
        for each in classes:
            state = self.next.item(state, each)
            if state == DEAD_STATE:
                return False
        return self.accepting.item(state)


@lru_cache(maxsize=16)
def build_automaton(limits: Limits, vocabulary: tuple[str, ...], time_steps: int) -> Automaton:
    """Build the automaton of the texts that fit the limits and that a model can spell.

    Raises LimitsError: pattern_invalid, pattern_too_large, or no_text_fits if no text over this
    vocabulary fits within the time steps.
    """
    pattern = ANYTHING if limits.pattern is None else limits.pattern
    positions = Positions.of(parse_pattern(pattern))
    # It may be decomposed Unicode; vocabularies, which are made of labels, are composed.
    charset = None if limits.charset is None else composed(limits.charset)
    allowed = set(vocabulary if charset is None else charset)
    by_class = [positions.of_character(each) if each in allowed else 0 for each in vocabulary]
    most_states = min(MAX_STATES, MAX_CELLS // (len(vocabulary) * time_steps))
    rows, accepting = _determinise(positions, by_class, _shortened(limits, time_steps), most_states)
    unknown = allowed.isdisjoint(vocabulary)
    possible = limits.min_length <= time_steps and _can_be_spelt(rows, accepting, time_steps)
    if unknown or not possible:
        raise LimitsError(
            "no_text_fits",
            "No text that this model can spell fits the limits.",
            f"It has {time_steps} time steps, one for each character and another between two equal "
            f"characters, and knows these characters: {''.join(vocabulary[:200])}.",
            "charset" if unknown else limits.first(),
        )
    return Automaton(np.array(rows, dtype=np.intp), np.array(accepting))


def _shortened(limits: Limits, time_steps: int) -> Limits:
    """Drop length limits beyond the time steps: every counted length multiplies the states."""
    longest = limits.max_length
    return replace(
        limits,
        min_length=min(limits.min_length, time_steps),
        max_length=longest if longest is not None and longest < time_steps else None,
    )


def _determinise(
    positions: Positions, by_class: list[int], limits: Limits, most_states: int
) -> tuple[list[list[int]], list[bool]]:
    """Number the reachable sets of positions, each with the text's length so far.

    by_class: the positions of each class's character. (The subset construction, Rabin and
    Scott 1959, on pairs of position set and length.)
    """
    states = [(START, 0)]
    numbers = {states[0]: 0}
    rows: list[list[int]] = []
    for reached, length in states:
        following, longer = positions.after(reached), _longer(length, limits)
        targets = {0: DEAD_STATE}
        # Classes share few targets, so each is numbered once, not once per class.
        for target in {following & each for each in by_class} - {0}:
            if longer is None:
                targets[target] = DEAD_STATE
                continue
            targets[target] = numbers.setdefault((target, longer), len(states))
            if targets[target] == len(states):
                states.append((target, longer))
        # Checked while they grow: .*a.{20}, 8 characters, has 2 million states.
        if len(states) > most_states:
            raise _too_many_states(limits, most_states)
        rows.append([targets[following & each] for each in by_class])
    accepting = [
        bool(reached & positions.ends) and length >= limits.min_length for reached, length in states
    ]
    return rows, accepting


def _can_be_spelt(rows: list[list[int]], accepting: list[bool], time_steps: int) -> bool:
    """Return whether any accepted text fits into the time steps.

    Visits the states by the steps of their shortest texts. Where all of a state's shortest texts
    end with the same character, repeating that character costs an extra blank; a text one step
    longer that ends otherwise is no better.
    """
    lasts: defaultdict[int, defaultdict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    lasts[0][0] = set()
    done: set[int] = set()
    for steps in range(time_steps + 1):
        for state, last in lasts[steps].items():
            if state in done:
                continue
            if accepting[state]:
                return True
            done.add(state)
            for character, target in enumerate(rows[state]):
                if target != DEAD_STATE:
                    lasts[steps + 1 + (last == {character})][target].add(character)
    return False


def _longer(length: int, limits: Limits) -> int | None:
    """Return the length plus one, None above the maximum; it stops once no limit depends on it."""
    if limits.max_length is None:
        return min(length + 1, limits.min_length)
    return length + 1 if length < limits.max_length else None


def _too_many_states(limits: Limits, most_states: int) -> LimitsError:
    return LimitsError(
        "pattern_too_large",
        "The limits need too large an automaton.",
        f"For this model it may have {most_states} states; every character of the pattern, with "
        "repeats expanded, takes one or more for each text length at which it can occur.",
        limits.first(),
    )
