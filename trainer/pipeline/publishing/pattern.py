"""The pattern of a model: proposed from its labels, set by its user."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import groupby

from shared.errors import LimitsError, UnusableError
from shared.patterns.automaton import build_automaton
from shared.patterns.limits import Limits
from shared.patterns.parser import SPECIAL, parse_pattern
from shared.recognition.search.allowed_texts import spell_allowed
from shared.store.records.record import ModelSettings
from shared.store.store import ModelStore

MIN_LABELS = 20
"""With fewer labels, no pattern is proposed: too many later texts would not fit it."""
FEW = 4
OFTEN = 5
"""At most FEW characters, each seen at least OFTEN times, are taken to be the complete set."""
RANGES = ("A-Z", "a-z", "0-9")


def propose_pattern(labels: Iterable[str]) -> str | None:
    """Return a pattern that every label fits, None for too few labels or too large a pattern.

    An empty label, of an image with nothing to read, makes all of it optional.

    Labels of one length are described position by position, others by characters and lengths.
    """
    lengths: Counter[int] = Counter()
    positions: defaultdict[int, Counter[str]] = defaultdict(Counter)
    optional = False
    for label in labels:
        if not label:
            optional = True
            continue
        lengths[len(label)] += 1
        for position, character in enumerate(label):
            positions[position][character] += 1
    if lengths.total() < MIN_LABELS:
        return None
    everywhere = sum(positions.values(), Counter[str]())
    others = {character for character in everywhere if not _range_of(character)}
    if len(lengths) == 1:
        sets = [_set(positions[position], others) for position in range(len(positions))]
        pattern = "".join(_repeated(one, len(list(same))) for one, same in groupby(sets))
    else:
        pattern = f"{_set(everywhere, others)}{{{min(lengths)},{max(lengths)}}}"
    if optional:
        pattern = f"({pattern})?"
    try:
        parse_pattern(pattern)
    except UnusableError:
        return None
    return pattern


def accept_pattern(store: ModelStore, model: str, pattern: str | None) -> None:
    """Set a model's default pattern, or remove it if None.

    Raises ReadsmithError model_not_found, or UnusableError if the pattern is invalid or the served
    version (the newest, if none is served) cannot spell any text that fits, or none of its list.
    """
    store.require(model)
    if pattern is not None:
        _require_text(pattern)
        version = store.current_if_known(model) or store.versions(model)[-1]
        manifest = store.manifest(model, version)
        # Otherwise every later request would fail with no_text_fits.
        build_automaton(Limits(pattern), manifest.vocabulary, manifest.time_steps)
        own = store.settings(model)
        if own.allowed:
            limits = Limits(pattern, allowed=own.allowed, check_digit=own.check_digit)
            spell_allowed(limits, manifest.model_vocabulary(), manifest.time_steps)
    store.change_settings(model, ModelSettings(pattern=pattern))


def _require_text(pattern: str) -> None:
    # JSON can carry lone surrogates, which no file in UTF-8 can store.
    if not pattern or any("\ud800" <= character <= "\udfff" for character in pattern):
        raise LimitsError(
            "pattern_invalid",
            "The pattern is empty, or not Unicode text.",
            "To allow any prediction again, remove the pattern.",
            "pattern",
        )


def _set(counts: Counter[str], others: set[str]) -> str:
    """Describe characters by their ranges, or list them if they are the complete set."""
    if len(counts) <= FEW and min(counts.values()) >= OFTEN:
        listed, ranges = set(counts), []
    else:
        ranges = [one for one in RANGES if one in map(_range_of, counts)]
        listed = others if others & set(counts) else set()
    escaped = [_escaped(character) for character in sorted(listed)]
    return escaped[0] if len(escaped) == 1 and not ranges else f"[{''.join(ranges + escaped)}]"


def _range_of(character: str) -> str | None:
    return next((one for one in RANGES if one[0] <= character <= one[-1]), None)


def _escaped(character: str) -> str:
    return f"\\{character}" if character in SPECIAL + "-" else character


def _repeated(part: str, times: int) -> str:
    return part if times == 1 else f"{part}{{{times}}}"
