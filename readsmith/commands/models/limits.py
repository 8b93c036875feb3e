"""`readsmith models pattern` and `allowed`: what a model's predictions must fit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from readsmith.options import options
from readsmith.output import out, print_json, say

if TYPE_CHECKING:
    from shared.store.records.record import ModelSettings
    from shared.store.store import ModelStore


def pattern(
    model: options.ModelArgument,
    accepted: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="What predictions must fit.")
    ] = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Let predictions be anything again.")
    ] = False,
    store: options.ExistingStore = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Accept a pattern that predictions must fit; without one, show it and what labels propose.

    Example: readsmith models pattern captcha '[A-Z]{2}[0-9]{4}'
    """
    from readsmith.stores import open_store
    from trainer.pipeline.publishing.pattern import accept_pattern

    if drop and accepted is not None:
        raise typer.BadParameter("Give a PATTERN or --drop, not both.")
    published = open_store(store)
    published.require(model)
    if drop or accepted is not None:
        accept_pattern(published, model, accepted)
    in_force, proposed = published.settings(model).pattern, _proposed(published, model)
    if as_json:
        print_json({"model": model, "pattern": in_force, "proposed_pattern": proposed})
    else:
        say(out, f"{model} reads {f'what fits {in_force}' if in_force else 'anything'}.")
        say(out, f"Its labels propose {proposed or 'nothing'}.")


def allowed(
    model: options.ModelArgument,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="All the texts, each on a line."),
    ] = None,
    check_digit: options.CheckDigit = None,
    threshold: options.AllowedThreshold = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Let predictions be any text again.")
    ] = False,
    store: options.ExistingStore = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Accept a list of all the texts that predictions may be, or a rule for their check digit.

    Without either, show what is set.

    Example: readsmith models allowed plates fleet.txt
    """
    from readsmith.options.allowed import allowed_settings
    from readsmith.stores import open_store
    from trainer.pipeline.publishing.allowed import accept_allowed

    given = file is not None or check_digit is not None
    if drop and given:
        raise typer.BadParameter("Give what is allowed or --drop, not both.")
    if threshold is not None and not given:
        raise typer.BadParameter("--allowed-threshold goes with a FILE or --check-digit.")
    published = open_store(store)
    published.require(model)
    unspelled = 0
    if drop or given:
        chosen = allowed_settings(file, check_digit, threshold)
        unspelled = accept_allowed(published, model, chosen)
    settings = published.settings(model)
    if as_json:
        about = settings.model_dump(include={"allowed", "check_digit", "allowed_threshold"})
        print_json({"model": model, **about, "unspelled": unspelled})
    else:
        _say_allowed(model, settings, unspelled)


def _say_allowed(model: str, settings: "ModelSettings", unspelled: int) -> None:
    rule = f" with a right check digit ({settings.check_digit})" if settings.check_digit else ""
    texts = f"one of {len(settings.allowed):,} texts" if settings.allowed else "any text"
    say(out, f"{model} reads {texts}{rule}.")
    if unspelled:
        say(out, f"{unspelled:,} of them it never reads: it cannot spell them, or they do not fit.")


def _proposed(store: "ModelStore", model: str) -> str | None:
    version = store.current_if_known(model) or store.versions(model)[-1]
    return store.manifest(model, version).proposed_pattern
