"""`readsmith models`: what is published."""

from typing import Any

from readsmith import options
from readsmith.output import out, percent, print_json, print_table, say
from shared.errors import ReadsmithError
from shared.model_store import ModelStore


def models(store: options.Store = options.STORE, as_json: options.Json = False) -> None:
    """List the published models and their versions.

    Example: readsmith models --store var/models
    """
    published = ModelStore(store)
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
        say(out, f"No model is published in {store}. Train one: readsmith train DATASET")


def _version(store: ModelStore, model: str, number: int) -> dict[str, Any]:
    about: dict[str, Any] = {"model": model, "version": number}
    try:
        about["current"] = store.current(model) == number
        manifest = store.manifest(model, number)
    except ReadsmithError as error:
        return about | {"error": {"code": error.code, "message": error.message}}
    kept = {"created_at", "origin", "preset", "dataset", "vocabulary", "metrics"}
    return about | manifest.model_dump(mode="json", include=kept)


def _row(version: dict[str, Any]) -> tuple[object, ...]:
    served = "yes" if version.get("current") else ""
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
