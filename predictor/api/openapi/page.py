"""The routes that describe the predictor's interface, for programs and for people."""

from typing import Any

from flask import Flask, render_template_string

from predictor.api.openapi.document import description
from shared.api.headers import PAGE_HEADERS


def add_docs(app: Flask) -> None:
    """Add the OpenAPI document and a page that shows it."""

    @app.get("/openapi.json")
    def openapi() -> dict[str, Any]:
        return description()

    @app.get("/docs")
    def docs() -> tuple[str, dict[str, str]]:
        page = render_template_string(PAGE, api=description(), kind=_kind)
        return page, {**PAGE_HEADERS}


def _kind(schema: dict[str, Any]) -> str:
    """Say in a few words what a schema allows."""
    if reference := schema.get("$ref"):
        return str(reference).rpartition("/")[2]
    if choices := schema.get("anyOf"):
        return " or ".join(map(_kind, choices))
    if values := schema.get("enum"):
        return "one of " + ", ".join(map(str, values))
    if "const" in schema:
        return repr(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}" if "items" in schema else "list"
    bounds = [f"{name} {schema[name]}" for name in BOUNDS if name in schema]
    return ", ".join([schema.get("format", schema.get("type", "anything")), *bounds])


BOUNDS = ("minimum", "maximum", "minLength", "maxLength")

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ api.info.title }}</title>
<link rel="stylesheet" href="page/docs.css">
{%- macro fields(names, required) %}
<table>
<tr><th>name</th><th>what is right</th><th>about</th></tr>
{%- for name, schema in names %}
<tr><td><code>{{ name }}</code>{{ " (required)" if name in required }}</td>
<td>{{ kind(schema) }}</td><td>{{ schema.description }}</td></tr>
{%- endfor %}
</table>
{%- endmacro %}
{%- macro shown(schema) %}
{%- if schema.properties %}{{ fields(schema.properties.items(), schema.required or []) }}
{%- else %} {{ kind(schema) }}{% endif %}
{%- endmacro %}
<h1>{{ api.info.title }}</h1>
<p>{{ api.info.summary }}. {{ api.info.description }}
The same for programs: <a href="openapi.json">openapi.json</a> (OpenAPI {{ api.openapi }}).</p>
{%- for path, operations in api.paths.items() %}{% for method, operation in operations.items() %}
<h2><code>{{ method.upper() }} {{ path }}</code></h2>
<p>{{ operation.summary }}</p>
<h3>Parameters</h3>
<table>
<tr><th>name</th><th>in</th><th>what is right</th><th>about</th></tr>
{%- for each in operation.parameters %}
<tr><td><code>{{ each.name }}</code></td><td>{{ each.in }}</td>
<td>{{ kind(each.schema) }}</td><td>{{ each.description }}</td></tr>
{%- endfor %}
</table>
{%- if operation.requestBody %}
<h3>Body</h3>
<p>{{ operation.requestBody.description }}</p>
{%- for type, content in operation.requestBody.content.items() %}
<p><code>{{ type }}</code>{{ shown(content.schema) }}</p>
{%- endfor %}
{%- endif %}
<h3>Answers</h3>
<table>
<tr><th>status</th><th>when</th><th>what</th></tr>
{%- for status, response in operation.responses.items() %}
{%- for type, content in response.content.items() %}
<tr><td>{{ status }}</td><td>{{ response.description }}</td>
<td><code>{{ type }}</code>: {{ kind(content.schema) }}</td></tr>
{%- endfor %}{% endfor %}
</table>
{%- endfor %}{% endfor %}
<h2>Shapes</h2>
{%- for name, schema in api.components.schemas.items() %}
<h3 id="{{ name }}">{{ name }}</h3>
<p>{{ schema.description }}</p>
{{ shown(schema) }}
{%- endfor %}
</html>
"""
