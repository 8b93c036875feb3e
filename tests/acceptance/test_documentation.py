"""What the documentation says is what the code does."""

import json
import re
import shlex
from typing import get_args

import pytest
import typer.main
from pydantic_settings import BaseSettings

from predictor.api.app import create_app as create_predictor
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from readsmith.__main__ import app
from tests.support.paths import ROOT
from trainer.api.app import create_app as create_trainer
from trainer.schemas.job_request import JobRequest, PresetName
from trainer.settings import Settings

README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell_lines(page: str) -> list[list[str]]:
    """Return the words of each line of a page's shell blocks."""
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in shell.splitlines()]


LINES = shell_lines(README)
PAGES = [page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").rglob("*.md"))]
EVERY_LINE = [*LINES, *(line for page in PAGES for line in shell_lines(page))]


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str, str]]:
    """Port, method and path of everything that the two services answer."""
    folder = tmp_path_factory.mktemp("services")
    trainer = create_trainer(Settings(store=folder, state=folder)).openapi()["paths"]
    settings = PredictorSettings(store=folder)
    rules = create_predictor(settings, Registry(settings)).url_map.iter_rules()
    return {("8000", method, path) for path, methods in trainer.items() for method in methods} | {
        ("8080", method.lower(), rule.rule) for rule in rules for method in rule.methods or ()
    }


def settings_table() -> str:
    rows: dict[str, str] = {}
    for variable, default, description in [*fields(Settings), *fields(PredictorSettings)]:
        row = f"| `{variable}` | {default} | {description} |"
        assert rows.setdefault(variable, row) == row, f"the services disagree on {variable}"
    return "\n".join(["| variable | default | what it is |", "|---|---|---|", *rows.values()])


def fields(settings: type[BaseSettings]) -> list[tuple[str, str, str]]:
    return [
        (
            str(field.validation_alias or f"READSMITH_{name.upper()}"),
            "" if field.default is None else f"`{field.default}`",
            str(field.description),
        )
        for name, field in settings.model_fields.items()
    ]


def test_the_settings_table_is_that_of_the_settings_classes() -> None:
    assert settings_table() in README


@pytest.mark.parametrize(
    "line", [line for line in EVERY_LINE if line[:1] == ["readsmith"]], ids=" ".join
)
def test_every_command_line_in_the_documentation_has_options_that_exist(line: list[str]) -> None:
    commands = [typer.main.get_command(app)]
    for word in line[1:]:
        commands += filter(None, [getattr(commands[-1], "commands", {}).get(word)])
    assert len(commands) > 1, line
    known = {option for parameter in commands[-1].params for option in parameter.opts}

    assert {word for word in line if word.startswith("--")} <= known


@pytest.mark.parametrize(
    "line",
    [line for line in EVERY_LINE if line[:1] == ["curl"] and "http://localhost" in " ".join(line)],
    ids=" ".join,
)
def test_every_curl_line_in_the_documentation_asks_for_a_route_that_exists(
    line: list[str], routes: set[tuple[str, str, str]]
) -> None:
    url = next(word for word in line if word.startswith("http://localhost"))
    port, path = re.fullmatch(r"http://localhost:(\d+)(/.*)", url).groups()  # type: ignore[union-attr]
    posts = "post" if {"POST", "-F", "--json"} & set(line) else "get"
    method = "put" if "PUT" in line else posts
    known = [
        re.sub(r"\{[a-z_]+\}", "[^/]+", re.sub(r"\{file(:path)?\}", ".+", shape))
        for its_port, its_method, shape in routes
        if (its_port, its_method) == (port, method)
    ]

    assert any(re.fullmatch(shape, path.partition("?")[0]) for shape in known)


def test_every_job_in_the_documentation_is_accepted() -> None:
    posts = [line for line in EVERY_LINE if "-d" in line and any(w.endswith("/jobs") for w in line)]
    bodies = [line[line.index("-d") + 1] for line in posts]

    assert bodies
    for body in bodies:
        JobRequest.model_validate_json(json.dumps(json.loads(body)))


def test_every_make_target_in_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

    everything = "\n".join([README, contributing, *PAGES])

    assert set(re.findall(r"^make ([a-z-]+)", everything, re.MULTILINE)) <= targets


def test_every_preset_is_named() -> None:
    for preset in get_args(PresetName):
        assert f"`{preset}`" in README or f"--preset {preset}`" in README


def test_every_linked_file_exists() -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
