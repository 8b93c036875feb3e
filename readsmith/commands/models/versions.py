"""`readsmith models list`, `promote`, `rollback`: what is published, and what is served."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from readsmith.options import options
from readsmith.output import out, percent, print_json, print_table, say
from shared.errors import ReadsmithError

if TYPE_CHECKING:
    from shared.store.store import ModelStore


def list_models(
    deleted: Annotated[
        bool, typer.Option("--deleted", help="List what was deleted and can be restored.")
    ] = False,
    store: options.ExistingStore = options.STORE,
    as_json: options.Json = False,
) -> None:
    """List the published models, their retained versions, which are served, and the default.

    Example: readsmith models list
    """
    from readsmith.stores import open_store

    (_list_deleted if deleted else _list)(open_store(store), as_json)


def promote(
    model: options.ModelArgument,
    version: Annotated[int, typer.Argument(min=1, help="A retained version.")],
    store: options.ExistingStore = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Make a retained version the served one, once its files have been verified.

    Example: readsmith models promote captcha 3
    """
    from readsmith.stores import open_store

    published = open_store(store)
    published.promote(model, version)
    _say_served(published, model, as_json)


def rollback(
    model: options.ModelArgument,
    store: options.ExistingStore = options.STORE,
    as_json: options.Json = False,
) -> None:
    """Serve the version that was served before; done again, it goes one step further back.

    Example: readsmith models rollback captcha
    """
    from readsmith.stores import open_store

    published = open_store(store)
    published.rollback(model)
    _say_served(published, model, as_json)


def _say_served(store: "ModelStore", model: str, as_json: bool) -> None:
    current, previous = store.current(model), store.previous(model)
    if as_json:
        print_json({"model": model, "current": current, "previous": previous})
    else:
        before = f"; before it: version {previous}" if previous else ""
        say(out, f"{model} version {current} is served{before}.")


def _list(published: "ModelStore", as_json: bool) -> None:
    versions = [
        _version(published, model, number)
        for model in published.models()
        for number in published.versions(model)
    ]
    default = published.default()
    if as_json:
        print_json({"data": versions, "default": default})
    elif versions:
        print_table(
            ("model", "version", "served", "created", "preset", "exact match", "characters"),
            [_row(version, default) for version in versions],
        )
    else:
        where = published.address
        say(out, f"No model is published in {where}. Train one: readsmith train DATASET")


def _list_deleted(published: "ModelStore", as_json: bool) -> None:
    deleted = [
        (model, number, one.at)
        for model in published.models_with_deleted()
        for number, one in sorted(published.deleted(model).items())
    ]
    if as_json:
        names = ("model", "version", "deleted_at")
        rows = ((model, number, at.isoformat()) for model, number, at in deleted)
        print_json({"data": [dict(zip(names, row, strict=True)) for row in rows]})
    elif deleted:
        rows = ((model, number, f"{at:%Y-%m-%d %H:%M}") for model, number, at in deleted)
        print_table(("model", "version", "deleted"), list(rows))
    else:
        say(out, f"Nothing that was deleted in {published.address} can be restored.")


def _version(store: "ModelStore", model: str, number: int) -> dict[str, Any]:
    about: dict[str, Any] = {"model": model, "version": number}
    try:
        about["current"] = store.current(model) == number
        about["previous"] = store.previous(model) == number
        manifest = store.manifest(model, number)
    except ReadsmithError as error:
        return about | {"error": {"code": error.code, "message": error.message}}
    shown = {"created_at", "origin", "preset", "dataset", "vocabulary", "metrics"}
    return about | manifest.model_dump(mode="json", include=shown)


def _row(version: dict[str, Any], default: str | None) -> tuple[object, ...]:
    served = "yes" if version.get("current") else "before" if version.get("previous") else ""
    if version.get("current") and version["model"] == default:
        served = "yes, default"
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
