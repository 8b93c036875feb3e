"""Which model answers where a request names none."""

from collections.abc import Collection

from shared.errors import MalformedError, NotFoundError
from shared.store.builtin import STARTER

DEFAULT_MODEL = "default"
"""The name that training gives a model unless told another."""


def answering_model(
    served: Collection[str], chosen: str | None = None, setting: str | None = None
) -> str:
    """Return the model that answers: the chosen one, that of the setting, else the only one.

    served: the models that can answer, perhaps the starter among them, which answers where no
    other does. chosen: the default that is noted in the store; a model called `default` is it
    without that. Raises NotFoundError if the default is not served, MalformedError if there is
    none and several models may be meant.
    """
    own = [model for model in served if model != STARTER]
    if chosen is not None:
        if chosen not in served:
            raise _default_is_gone(chosen, own, "`readsmith models default` has chosen it")
        return chosen
    if setting is not None and own:
        if setting not in served:
            raise _default_is_gone(setting, own, "READSMITH_DEFAULT_MODEL names it")
        return setting
    if len(own) > 1 and DEFAULT_MODEL not in own:
        raise MalformedError(
            "model_not_named",
            f"The request names no model, and there are {len(own)}: {', '.join(own)}.",
            f"Name one with model, or make one the default: readsmith models default {own[0]}.",
            "model",
        )
    if own:
        return DEFAULT_MODEL if DEFAULT_MODEL in own else own[0]
    return STARTER if STARTER in served else DEFAULT_MODEL


def _default_is_gone(name: str, own: Collection[str], why: str) -> NotFoundError:
    return NotFoundError(
        "model_not_found",
        f"The request names no model, and no version of the default one, {name!r}, is served "
        f"({why}).",
        f"Name one with model: {', '.join(own) or 'none is there'}. "
        "`readsmith models default NAME` sets another default.",
        "model",
    )
