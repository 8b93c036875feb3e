"""What texts must be like, as a finite automaton over a model's classes."""

import unicodedata
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import LimitsError
from shared.patterns.glushkov import START, Positions
from shared.patterns.limits import Limits
from shared.patterns.parser import parse_pattern

ANYTHING: Final = ".*"
NOWHERE: Final = -1
"""The state after a character that must not come."""
MAX_STATES: Final = 1000
"""Bounds the time that building takes."""
MAX_CELLS: Final = 2_000_000
"""States times characters of the vocabulary times time steps; bounds what one image takes."""


@dataclass(frozen=True)
class Automaton:
    """A deterministic automaton; state 0 is the start.

    next: the state after a state and a class, (states, classes without the blank), NOWHERE if
    no text goes on so. accepting: may a text end in this state, (states,).
    """

    next: NDArray[np.intp]
    accepting: NDArray[np.bool_]


@lru_cache(maxsize=16)
def build_automaton(limits: Limits, vocabulary: tuple[str, ...], time_steps: int) -> Automaton:
    """Build the automaton of the texts that fit and that a model of so many time steps can spell.

    Limits may be decomposed Unicode, which no vocabulary is.

    Raises LimitsError: bad_pattern, pattern_too_large, or no_text_fits if no text over this
    vocabulary does.
    """
    pattern = ANYTHING if limits.pattern is None else limits.pattern
    positions = Positions.of(parse_pattern(unicodedata.normalize("NFC", pattern)))
    charset = None if limits.charset is None else unicodedata.normalize("NFC", limits.charset)
    allowed = set(vocabulary if charset is None else charset)
    places = [positions.of_character(each) if each in allowed else 0 for each in vocabulary]
    most_states = min(MAX_STATES, MAX_CELLS // (len(vocabulary) * time_steps))
    rows, accepting = _determinise(positions, places, _shortened(limits, time_steps), most_states)
    unknown = allowed.isdisjoint(vocabulary)
    possible = limits.min_length <= time_steps and _can_be_spelt(rows, accepting, time_steps)
    if unknown or not possible:
        raise LimitsError(
            "no_text_fits",
            "No text that this model could spell fits the limits.",
            f"It has {time_steps} time steps, one for each character and another where the same "
            f"comes twice in a row, and knows these characters: {''.join(vocabulary[:200])}.",
            "charset" if unknown else limits.first(),
        )
    return Automaton(np.array(rows, dtype=np.intp), np.array(accepting))


def _shortened(limits: Limits, time_steps: int) -> Limits:
    """Leave out what no text exceeds: every length takes states."""
    longest = limits.max_length
    return replace(
        limits,
        min_length=min(limits.min_length, time_steps),
        max_length=longest if longest is not None and longest < time_steps else None,
    )


def _determinise(
    positions: Positions, places: list[int], limits: Limits, most_states: int
) -> tuple[list[list[int]], list[bool]]:
    """Number the sets of places that can be reached, each with the length read so far.

    places: for each class, those where its character may stand.
    """
    states = [(START, 0)]
    numbers = {states[0]: 0}
    rows: list[list[int]] = []
    for reached, length in states:
        following, longer = positions.after(reached), _longer(length, limits)
        targets = {0: NOWHERE}
        for target in {following & place for place in places} - {0}:
            if longer is None:
                targets[target] = NOWHERE
                continue
            targets[target] = numbers.setdefault((target, longer), len(states))
            if targets[target] == len(states):
                states.append((target, longer))
        if len(states) > most_states:
            raise _too_many_states(limits, most_states)
        rows.append([targets[following & place] for place in places])
    accepting = [
        bool(reached & positions.ends) and length >= limits.min_length for reached, length in states
    ]
    return rows, accepting


def _can_be_spelt(rows: list[list[int]], accepting: list[bool], time_steps: int) -> bool:
    """Tell whether any accepted text takes no more time steps than there are.

    Goes through the states by the steps of their shortest texts. Where all of a state's shortest
    texts end with the same character, that character costs a blank more; a text one step longer
    that ends otherwise gains nothing over that.
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
                if target != NOWHERE:
                    lasts[steps + 1 + (last == {character})][target].add(character)
    return False


def _longer(length: int, limits: Limits) -> int | None:
    """Count one character more; beyond what the limits tell apart, the count stands still."""
    if limits.max_length is None:
        return min(length + 1, limits.min_length)
    return length + 1 if length < limits.max_length else None


def _too_many_states(limits: Limits, most_states: int) -> LimitsError:
    return LimitsError(
        "pattern_too_large",
        "The limits together need too large an automaton.",
        f"For this model it may have {most_states} states; every character of the pattern, its "
        "repeats written out, takes one or more, each times the lengths that it can stand at.",
        limits.first(),
    )
