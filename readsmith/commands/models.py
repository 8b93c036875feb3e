"""`readsmith models`: what is published, and which version is served."""

from pathlib import Path
from typing import Annotated, Any

import typer

from readsmith.options import options
from readsmith.output import out, percent, print_json, print_table, say
from readsmith.stores import open_store
from shared.errors import ReadsmithError
from shared.store.records.record import ModelSettings
from shared.store.store import ModelStore

app = typer.Typer(invoke_without_command=True)

Name = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="The model's name.",
        callback=options.model_name,
        autocompletion=options.known_models,
    ),
]


@app.callback()
def models(
    context: typer.Context, store: options.Store = options.STORE, as_json: options.Json = False
) -> None:
    """List the published models and their versions; promote a version or roll back.

    Example: readsmith models --store var/models
    """
    if context.invoked_subcommand is None:
        _list(open_store(store), as_json)
    elif any(_is_given(context, option) for option in ("store", "as_json")):
        raise typer.BadParameter(f"Give options after {context.invoked_subcommand}.")


def _is_given(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


@app.command()
def promote(
    model: Name,
    version: Annotated[int, typer.Argument(min=1, help="A retained version.")],
    store: options.Store = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Make a retained version the served one, once its files have been verified.

    Example: readsmith models promote captcha 3
    """
    published = open_store(store)
    published.promote(model, version)
    _say_served(published, model, as_json)


@app.command()
def rollback(
    model: Name, store: options.Store = options.STORE, as_json: options.Json = False
) -> None:
    """Serve the version that was served before; done again, it goes one step further back.

    Example: readsmith models rollback captcha
    """
    published = open_store(store)
    published.rollback(model)
    _say_served(published, model, as_json)


@app.command("default")
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
    store: options.Store = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Choose the model that answers requests that name none; the predictor heeds it at once.

    Example: readsmith models default captcha
    """
    if drop and model is not None:
        raise typer.BadParameter("Give a MODEL or --drop, not both.")
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


@app.command()
def copy(
    target: Annotated[str, typer.Argument(metavar="s3://BUCKET/PREFIX", help="Where to.")],
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL...", help="Which; all without.")
    ] = None,
    store: options.Store = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Copy models from a folder to an object storage, with their numbers and the way back.

    Without MODEL the choice of the default model is copied, too.

    Example: readsmith models copy s3://our-bucket/models --store var/models
    """
    from shared.store.copy import copy_model
    from shared.store.location import is_object_storage
    from shared.store.objects.bucket import Bucket
    from shared.store.records.records import ModelRecords

    if not is_object_storage(target) or is_object_storage(store):
        raise typer.BadParameter("Models are copied from a folder to s3://bucket/prefix.")
    source, bucket = ModelStore(store), Bucket(options.place(target))
    copied = {
        model: copy_model(source, bucket, model).numbers for model in models or source.models()
    }
    if not models and (default := source.default()):
        ModelRecords(bucket).set_default(default)
    if as_json:
        print_json({"target": bucket.address, "copied": copied})
    else:
        for model, numbers in copied.items():
            say(out, f"{model}: {', '.join(map(str, numbers))} copied to {bucket.address}.")


@app.command()
def pattern(
    model: Name,
    accepted: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="What predictions must fit.")
    ] = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Let predictions be anything again.")
    ] = False,
    store: options.Store = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Accept a pattern that predictions must fit; without one, show it and what labels propose.

    Example: readsmith models pattern captcha '[A-Z]{2}[0-9]{4}'
    """
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


@app.command()
def allowed(
    model: Name,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="All the texts, each on a line."),
    ] = None,
    check_digit: options.CheckDigit = None,
    threshold: options.AllowedThreshold = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Let predictions be any text again.")
    ] = False,
    store: options.Store = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Accept a list of all the texts that predictions may be, or a rule for their check digit.

    Without either, show what is set.

    Example: readsmith models allowed plates fleet.txt
    """
    from readsmith.options.allowed import allowed_settings
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


def _say_allowed(model: str, settings: ModelSettings, unspelled: int) -> None:
    rule = f" with a right check digit ({settings.check_digit})" if settings.check_digit else ""
    texts = f"one of {len(settings.allowed):,} texts" if settings.allowed else "any text"
    say(out, f"{model} reads {texts}{rule}.")
    if unspelled:
        say(out, f"{unspelled:,} of them it never reads: it cannot spell them, or they do not fit.")


def _proposed(store: ModelStore, model: str) -> str | None:
    version = store.current_if_known(model) or store.versions(model)[-1]
    return store.manifest(model, version).proposed_pattern


def _say_served(store: ModelStore, model: str, as_json: bool) -> None:
    current, previous = store.current(model), store.previous(model)
    if as_json:
        print_json({"model": model, "current": current, "previous": previous})
    else:
        before = f"; before it: version {previous}" if previous else ""
        say(out, f"{model} version {current} is served{before}.")


def _list(published: ModelStore, as_json: bool) -> None:
    versions = [
        _version(published, model, number)
        for model in published.models()
        for number in published.versions(model)
    ]
    if as_json:
        print_json({"data": versions})
    elif versions:
        print_table(
            ("model", "version", "served", "created", "preset", "exact match", "characters"),
            [_row(version) for version in versions],
        )
    else:
        where = published.address
        say(out, f"No model is published in {where}. Train one: readsmith train DATASET")


def _version(store: ModelStore, model: str, number: int) -> dict[str, Any]:
    about: dict[str, Any] = {"model": model, "version": number}
    try:
        about["current"] = store.current(model) == number
        about["previous"] = store.previous(model) == number
        manifest = store.manifest(model, number)
    except ReadsmithError as error:
        return about | {"error": {"code": error.code, "message": error.message}}
    shown = {"created_at", "origin", "preset", "dataset", "vocabulary", "metrics"}
    return about | manifest.model_dump(mode="json", include=shown)


def _row(version: dict[str, Any]) -> tuple[object, ...]:
    served = "yes" if version.get("current") else "before" if version.get("previous") else ""
    start = (version["model"], version["version"], served)
    if "error" in version:
        return (*start, version["error"]["message"], "", "", "")
    metrics = version["metrics"]
    return (
        *start,
        version["created_at"][:16].replace("T", " "),
        version["preset"] or version["origin"],
        percent(metrics["exact_match"]) if metrics else "not measured",
        "".join(version["vocabulary"]),
    )
