"""The texts that a model's predictions may be, set by its user: a list or a check digit."""

from shared.patterns.limits import Limits
from shared.recognition.search.allowed_texts import spell_allowed
from shared.store.records.record import ModelSettings
from shared.store.store import ModelStore


def accept_allowed(store: ModelStore, model: str, chosen: ModelSettings) -> int:
    """Set a model's list, check digit and threshold; what is None of these is removed.

    Returns how many of the texts the served version (the newest, if none is served) will never
    predict, because it cannot spell them or they do not fit. Raises ReadsmithError
    model_not_found, or UnusableError if that is all of them.
    """
    store.require(model)
    spelled = 0
    if chosen.allowed:
        manifest = store.manifest(model, store.current_if_known(model) or store.versions(model)[-1])
        limits = Limits(
            store.settings(model).pattern, allowed=chosen.allowed, check_digit=chosen.check_digit
        )
        # Otherwise every later request would fail with no_text_fits.
        spelled = len(spell_allowed(limits, manifest.model_vocabulary(), manifest.time_steps).texts)
    changed = ModelSettings(
        allowed=chosen.allowed or None,
        check_digit=chosen.check_digit,
        allowed_threshold=chosen.allowed_threshold,
    )
    store.change_settings(model, changed)
    return len(chosen.allowed or ()) - spelled
