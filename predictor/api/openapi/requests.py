"""What the predictor's routes take, as the OpenAPI description gives it."""

from typing import Any, Final

from pydantic import BaseModel

from predictor.api.feedback import FeedbackRequest, JsonFeedback
from predictor.api.review import ReviewQuery
from predictor.requests.images import IMAGE_FIELDS, JsonBody
from predictor.requests.options import PredictionOptions
from shared.patterns.allowed import MAX_LINES

Json = dict[str, Any]

REFERENCE: Final = "#/components/schemas/{model}"
IMAGE: Final = {"type": "string", "format": "binary"}
REQUEST_ID: Final = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "Used as the request's id if it is 1 to 64 letters, digits, dots, dashes or "
    "underscores; otherwise the predictor makes one.",
    "schema": {"type": "string"},
}


def parameters(route: str) -> list[Json]:
    """Describe what a route takes in its path, its query and its headers."""
    if "{image_id}" in route:
        schema = {"type": "string", "minLength": 1}
        return [
            REQUEST_ID,
            {"name": "image_id", "in": "path", "required": True, "schema": schema},
        ]
    models: dict[str, type[BaseModel]] = {
        "POST /predict": PredictionOptions,
        "GET /review": ReviewQuery,
    }
    query = [
        {"name": name, "in": "query", "description": schema["description"], "schema": schema}
        for name, schema in (_as_text(models[route]) if route in models else {}).items()
    ]
    return [REQUEST_ID, *query]


def request_body(route: str) -> Json | None:
    """Describe what a route takes as its body, if it takes one."""
    match route:
        case "POST /predict":
            return _images_to_read()
        case "POST /feedback":
            return _feedback()
    return None


def _feedback() -> Json:
    multipart = {
        "type": "object",
        "properties": {**dict.fromkeys(IMAGE_FIELDS, IMAGE), **_as_text(FeedbackRequest)},
        "required": ["text"],
        "oneOf": [{"required": [name]} for name in (*IMAGE_FIELDS, "request_id")],
        "additionalProperties": False,
    }
    return {
        "required": True,
        "description": "The right text, and the image itself or the request_id of a prediction "
        "whose image was archived.",
        "content": {
            "multipart/form-data": {"schema": multipart},
            "application/json": {"schema": _reference(JsonFeedback)},
        },
    }


def _images_to_read() -> Json:
    fields = {name: {"type": "array", "items": IMAGE, "minItems": 1} for name in IMAGE_FIELDS}
    multipart = {
        "type": "object",
        "properties": {**fields, **_as_text(PredictionOptions)},
        "anyOf": [{"required": [name]} for name in IMAGE_FIELDS],
        "additionalProperties": False,
    }
    return {
        "required": True,
        "description": "One image, several, or, with combine, several shots of one thing, which "
        "get one text; in a form also as base64 or a data: URL, without a "
        "file's name. Options are taken as query parameters or in the body; the body wins. The "
        "body may be packed with gzip, which Content-Encoding says.",
        "content": {
            "multipart/form-data": {"schema": multipart},
            "application/json": {"schema": _reference(JsonBody)},
            "image/*": {"schema": IMAGE},
            "application/octet-stream": {"schema": IMAGE},
        },
    }


def _as_text(model: type[BaseModel]) -> dict[str, Json]:
    """Return each field's schema, without null: sent as text, what is not wanted is left out."""
    properties = model.model_json_schema()["properties"]
    return {
        name: {**_one_text(schema.get("anyOf", [schema])[0]), "description": schema["description"]}
        for name, schema in properties.items()
    }


def _one_text(schema: Json) -> Json:
    """Return a field's schema; a list's items are the lines of one text."""
    return {"type": "string", "maxLength": MAX_LINES} if schema["type"] == "array" else schema


def _reference(model: type[BaseModel]) -> Json:
    return {"$ref": REFERENCE.format(model=model.__name__)}
