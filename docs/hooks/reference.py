"""Writes the reference pages from the code: settings, command line, both APIs, manifest.

A page says where with a line `<!-- made from the code: NAME -->`.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from pydantic import BaseModel
from pydantic_settings import BaseSettings

# Docstrings below fields become their descriptions, here alone: reading them costs start time.
BaseModel.model_config["use_attribute_docstrings"] = True

import typer.main  # noqa: E402

from predictor.api.openapi.document import description as predictor_api  # noqa: E402
from predictor.settings import PredictorSettings  # noqa: E402
from readsmith.__main__ import app  # noqa: E402
from shared.errors import CODES  # noqa: E402
from shared.store.manifest import Manifest  # noqa: E402
from trainer.api.app import create_app  # noqa: E402
from trainer.settings import Settings  # noqa: E402

PLACE = re.compile(r"<!-- made from the code: (.+) -->")
BOUNDS = {
    "minimum": "at least `{}`",
    "exclusiveMinimum": "above `{}`",
    "maximum": "at most `{}`",
    "minLength": "at least {} long",
    "maxLength": "at most {} long",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} entries",
    "pattern": "matches `{}`",
}
Json = Mapping[str, Any]


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put what the code says where a page wants it."""
    return PLACE.sub(lambda place: "\n".join(REFERENCES[place[1]]()), markdown)


def _settings() -> Iterator[str]:
    rows: dict[str, tuple[str, str, str]] = {}
    for service, settings in (("trainer", Settings), ("predictor", PredictorSettings)):
        for variable, default, what in _variables(settings):
            reader = "both" if variable in rows else service
            rows[variable] = (default, reader, what)
    cells = ((f"`{variable}`", *row) for variable, row in rows.items())
    yield from _table(("variable", "default", "read by", "what it is"), cells)


def _variables(settings: type[BaseSettings]) -> Iterator[tuple[str, str, str]]:
    for name, field in settings.model_fields.items():
        variable = str(field.validation_alias or f"READSMITH_{name.upper()}")
        default = "" if field.default is None else f"`{field.default}`"
        yield variable, default, str(field.description)


def _command_line() -> Iterator[str]:
    yield from _command(typer.main.get_command(app), "readsmith")


def _command(command: Any, path: str) -> Iterator[str]:
    if path != "readsmith":
        text, _, example = (command.help or "").partition("\nExample: ")
        yield from (f"## {path}", "", text.strip(), "")
        if example:
            yield from ("```sh", example.strip(), "```", "")
        yield from _table(
            ("argument or option", "default", "what it is"),
            (_parameter(each) for each in command.params if each.name != "help"),
        )
    for name, each in getattr(command, "commands", {}).items():
        yield from _command(each, f"{path} {name}")


def _parameter(parameter: Any) -> tuple[str, str, str]:
    is_argument = parameter.param_type_name == "argument"
    names = parameter.metavar or parameter.name.upper() if is_argument else ""
    is_shown = parameter.default is not None and not isinstance(parameter.default, bool)
    default = f"`{parameter.default}`" if is_shown else ""
    variable = f" Or the variable `{parameter.envvar}`." if parameter.envvar else ""
    names = f"`{names}`" if is_argument else ", ".join(f"`{each}`" for each in parameter.opts)
    return names, "required" if parameter.required else default, (parameter.help or "") + variable


def _trainer_api() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store=Path(folder), state=Path(folder))
        yield from _api(create_app(settings).openapi())


def _predictor_api() -> Iterator[str]:
    yield from _api(predictor_api())


def _api(description: Json) -> Iterator[str]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield from _operation(f"{method.upper()} {path}", operation)
    yield from ("## Bodies", "")
    for name, schema in sorted(description["components"]["schemas"].items()):
        yield from (f"### {name}", "", schema.get("description", ""), "")
        yield from _fields(schema)


def _operation(name: str, operation: Json) -> Iterator[str]:
    text = operation.get("description") or f"{_sentence(operation['summary'])}."
    scopes = [each["apiKey"][0] for each in operation.get("security", ()) if "apiKey" in each]
    key = f"Key: scope {' or '.join(f'`{each}`' for each in scopes)}." if scopes else "Key: none."
    yield from (f"## `{name}`", "", text, "", key, "")
    yield from _table(
        ("parameter", "in", "what it is"),
        (
            (f"`{each['name']}`", each["in"], _value(each["schema"], each.get("description")))
            for each in operation.get("parameters", ())
        ),
    )
    body = operation.get("requestBody", {}).get("content", {})
    for kind, content in body.items():
        yield from (f"Body `{kind}`: {_type(content.get('schema', {}))}.", "")
    yield from _table(("answer", "what it is"), _answers(operation["responses"]))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}"


def _answers(responses: Json) -> Iterator[tuple[str, str]]:
    errors = []
    for status, response in sorted(responses.items()):
        kinds = {
            f"`{kind}`: {_type(content.get('schema', {}))}"
            for kind, content in response.get("content", {}).items()
            if kind != "application/problem+json"
        }
        text = response["description"]
        if not kinds and text == HTTPStatus(int(status)).phrase:
            errors.append(status)
        else:
            said = "" if text == "Successful Response" else text
            yield status, " ".join(filter(None, (said, ", ".join(sorted(kinds)))))
    if errors:
        yield ", ".join(errors), "Problem documents."


def _manifest() -> Iterator[str]:
    schema = Manifest.model_json_schema()
    yield from _fields(schema)
    for name, part in sorted(schema["$defs"].items()):
        yield from (f"### {name}", "", part.get("description", ""), "")
        yield from _fields(part)


def _fields(schema: Json) -> Iterator[str]:
    required = schema.get("required", ())
    yield from _table(
        ("field", "what it is"),
        (
            (
                f"`{name}`{' (required)' if name in required else ''}",
                _value(field, field.get("description")),
            )
            for name, field in schema.get("properties", {}).items()
        ),
    )


def _value(schema: Json, text: str | None) -> str:
    default = schema.get("default")
    simple = default is not None and not isinstance(default, dict | list)
    parts = [text, f"{_sentence(_type(schema))}.", f"Default `{default}`." if simple else None]
    return " ".join(filter(None, parts))


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    if isinstance(schema.get("items"), Mapping):
        kind += f" of {_type(schema['items'])}"
    elif isinstance(schema.get("additionalProperties"), Mapping):
        kind += f" with values {_type(schema['additionalProperties'])}"
    bounds = [text.format(schema[key]) for key, text in BOUNDS.items() if key in schema]
    return ", ".join([kind, *bounds])


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    lines = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    if lines:
        yield from (f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *lines)
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "&#124;")


def _error_codes() -> Iterator[str]:
    cells = (
        (f"`{code}`", str(kind.http_status), kind.codes[code])
        for code, kind in sorted(CODES.items(), key=lambda each: (each[1].http_status, each[0]))
    )
    yield from _table(("code", "status", "what it means"), cells)


REFERENCES: dict[str, Callable[[], Iterator[str]]] = {
    "settings": _settings,
    "command line": _command_line,
    "trainer API": _trainer_api,
    "predictor API": _predictor_api,
    "manifest": _manifest,
    "error codes": _error_codes,
}
