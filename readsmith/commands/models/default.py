"""`readsmith models default`: which model answers requests that name none."""

from typing import Annotated

import typer

from readsmith.options import options
from readsmith.output import out, print_json, say


def choose_default(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="The model's name; without it, the default is shown.",
            callback=lambda model: model and options.model_name(model),
            autocompletion=options.known_models,
        ),
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Have no default.")] = False,
    store: options.ExistingStore = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Choose the model that answers requests that name none; the predictor heeds it at once.

    Example: readsmith models default captcha
    """
    if drop and model is not None:
        raise typer.BadParameter("Give a MODEL or --drop, not both.")
    from readsmith.stores import open_store

    published = open_store(store)
    if drop or model is not None:
        published.set_default(model)
    chosen = published.default()
    if as_json:
        print_json({"default": chosen})
    elif chosen is None:
        say(out, "No default is chosen: a model named default answers, or the only one.")
    else:
        gone = "" if chosen in published.models() else ", which is not in the store any more"
        say(out, f"Requests that name no model are answered by {chosen}{gone}.")
