"""Random requests made from a service's OpenAPI description, and what every answer must be."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import schemathesis
from fastapi import FastAPI
from flask import Flask
from hypothesis import assume
from pydantic import HttpUrl

from predictor.api.app import create_app as create_predictor
from predictor.api.start_page import PATH
from predictor.feedback.image_archive import ImageArchive
from predictor.feedback.outbox import Outbox
from predictor.feedback.trainer_client import TrainerClient
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.access.api_keys import KeyFile
from shared.access.tokens import Scope
from shared.store.store import ModelStore
from tests.support.models.bundles import publish
from trainer.api.app import create_app as create_trainer
from trainer.settings import Settings

KEYS = "keys.json"
SEMANTIC = ["2xx", "400", "404", "409", "413", "415", "422"]
"""Answers to requests that are right by the description: it cannot say that a pattern must
compile, an image be one, or a version exist. Nothing else may be answered."""
REJECTED = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "5xx"]
"""Answers to requests that are wrong by the description. A list of too many texts is mostly too
large a body first."""
CONFIG = schemathesis.Config.from_dict(
    {
        "checks": {
            "positive_data_acceptance": {"expected-statuses": SEMANTIC},
            "negative_data_rejection": {"expected-statuses": REJECTED},
        }
    }
)


def make_key(folder: Path) -> dict[str, str]:
    """Make a key for everything in the folder's file of keys; return the header that carries it."""
    token = KeyFile(folder / KEYS).create("schemathesis", Scope)
    return {"Authorization": f"Bearer {token}"}


def trainer_with_a_model(folder: Path) -> FastAPI:
    """Build the trainer's API."""
    publish(ModelStore(folder / "models"), folder / "build")
    return _trainer(folder)


def _trainer(folder: Path) -> FastAPI:
    return create_trainer(
        Settings(store=folder / "models", state=folder / "state", keys=folder / KEYS)
    )


def trainer_description() -> dict[str, Any]:
    """Return the trainer's OpenAPI description, without what it passes on to a predictor."""
    with tempfile.TemporaryDirectory() as empty:
        description = _trainer(Path(empty)).openapi()
    paths = description["paths"].items()
    own = {path: what for path, what in paths if not path.startswith(("/try", "/review"))}
    return description | {"paths": own}


def predictor_with_a_model(folder: Path) -> Flask:
    """Build the predictor; it keeps images, and feedback too, since its trainer is away."""
    publish(ModelStore(folder / "models"), folder / "build")
    settings = PredictorSettings(
        store=folder / "models",
        keys=folder / KEYS,
        image_archive=folder / "images",
        outbox=folder / "outbox",
        trainer_url=HttpUrl("http://127.0.0.1:1"),  # nobody listens there
    )
    registry = Registry(settings)
    registry.poll()
    outbox = Outbox(folder / "outbox", TrainerClient(settings))
    return create_predictor(settings, registry, None, ImageArchive(settings), outbox)


def routes_of(app: Flask) -> set[tuple[str, str]]:
    """Return method and path of every route of the predictor's API, without the page's files."""
    return {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith(PATH)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def call(case: schemathesis.Case[Any], app: Any, headers: dict[str, str]) -> None:
    """Send a request that may or may not be right; every check must pass."""
    if case.media_type == "multipart/form-data" and isinstance(case.body, dict):
        # A form has no empty list: the field is not sent, and what was to be wrong is right.
        assume([] not in case.body.values())
    case.call_and_validate(app=app, headers=headers)


def unbounded_texts(schema: Any, schemas: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield where a JSON schema takes texts of any length; schemas: those that it refers to."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "contentEncoding" in schema:  # an image, as large as a body may be
        return
    bounded = {"maxLength", "pattern", "enum", "const"}
    text = schema.get("type") == "string" and schema.get("format") != "binary"
    if text and not bounded & schema.keys():
        yield path
    for name, part in schema.get("properties", {}).items():
        yield from unbounded_texts(part, schemas, f"{path}.{name}")
    # A oneOf beside properties says which of them belong together.
    alternatives = () if "properties" in schema else schema.get("oneOf", ())
    for part in (*schema.get("anyOf", ()), *alternatives):
        yield from unbounded_texts(part, schemas, path)
    for name in ("items", "additionalProperties", "propertyNames"):
        if isinstance(part := schema.get(name), dict):
            yield from unbounded_texts(part, schemas, f"{path}.{name}")


def unbounded_in_bodies(description: Mapping[str, Any]) -> list[str]:
    """List the texts of any length that a service's requests may hold, but for the address."""
    schemas = description["components"]["schemas"]
    return [
        f"{method.upper()} {path}{found}"
        for path, methods in description["paths"].items()
        for method, route in methods.items()
        for kind in route.get("requestBody", {}).get("content", {}).values()
        for found in unbounded_texts(kind.get("schema", {}), schemas)
    ]
