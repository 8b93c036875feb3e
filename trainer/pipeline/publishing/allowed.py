"""The list of texts that a model's predictions may be, set by its user."""

from shared.patterns.limits import Limits
from shared.recognition.search.allowed_texts import spell_allowed
from shared.store.manifest import Manifest
from shared.store.records.record import ModelSettings
from shared.store.store import ModelStore


def accept_allowed(
    store: ModelStore, model: str, texts: tuple[str, ...] | None, threshold: float | None
) -> int:
    """Set a model's list and the confidence that rejects, or remove both if there are no texts.

    Returns how many of the texts the served version (the newest, if none is served) cannot spell:
    it will never predict them. Raises ReadsmithError model_not_found, or UnusableError if that is
    all of them.
    """
    store.require(model)
    spelled = 0
    if texts:
        manifest = _manifest(store, model)
        # Otherwise every later request would fail with no_text_fits.
        limits = Limits(store.settings(model).pattern, allowed=texts)
        spelled = len(spell_allowed(limits, manifest.vocabulary, manifest.time_steps).texts)
    chosen = ModelSettings(allowed=texts or None, allowed_threshold=threshold if texts else None)
    store.change_settings(model, chosen)
    return len(texts or ()) - spelled


def _manifest(store: ModelStore, model: str) -> Manifest:
    return store.manifest(model, store.current_if_known(model) or store.versions(model)[-1])
