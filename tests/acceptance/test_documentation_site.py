"""The documentation site: built strictly, its reference made from the code."""

import html
import re
from pathlib import Path

import typer.main
from pydantic_settings import BaseSettings

from predictor.api.openapi.document import description as predictor_api
from predictor.settings import PredictorSettings
from readsmith.__main__ import app
from shared.store.manifest import Manifest
from trainer.api.app import create_app
from trainer.settings import Settings


def words(site: Path, page: str) -> str:
    """What a page of the reference shows, without its markup."""
    text = (site / "reference" / f"{page}.html").read_text(encoding="utf-8")
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def test_the_pages_take_nothing_from_another_host(site: Path) -> None:
    for file in site.rglob("*"):
        if file.suffix == ".html":
            text = file.read_text(encoding="utf-8")
            assert not re.search(r'<(?!a\b)[^>]*(?:src|href)="(?:https?:)?//', text), file
        elif file.suffix == ".css":
            assert not re.search(r"url\(['\"]?(?:https?:)?//", file.read_text()), file


def test_nothing_is_left_to_be_made_and_no_code_is_published(site: Path) -> None:
    assert not list(site.rglob("*.py"))
    for page in site.rglob("*.html"):
        assert "<!-- made from the code" not in page.read_text(encoding="utf-8"), page


def test_every_setting_is_described(site: Path) -> None:
    shown = words(site, "settings")
    settings: list[type[BaseSettings]] = [Settings, PredictorSettings]

    for each in settings:
        for name, field in each.model_fields.items():
            assert str(field.validation_alias or f"READSMITH_{name.upper()}") in shown


def test_every_option_of_every_command_is_described(site: Path) -> None:
    pieces = re.split(r"^(readsmith [a-z -]+)¶$", words(site, "command-line"), flags=re.MULTILINE)
    sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    commands = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    while commands:
        name, command = commands.popitem()
        subcommands = getattr(command, "commands", {})
        commands |= {f"{name} {each}": subcommands[each] for each in subcommands}
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help":
                assert parameter.opts[0] in sections[f"readsmith {name}"], (name, parameter.opts)


def test_every_route_is_described(site: Path, tmp_path: Path) -> None:
    trainer = create_app(Settings(store=tmp_path, state=tmp_path)).openapi()

    for page, description in (("trainer-api", trainer), ("predictor-api", predictor_api())):
        shown = words(site, page)
        for path, methods in description["paths"].items():
            for method in methods:
                assert f"{method.upper()} {path}¶" in shown


def test_every_field_of_the_manifest_is_described_with_what_the_code_says_of_it(
    site: Path,
) -> None:
    shown = words(site, "manifest")

    for name in Manifest.model_fields:
        assert f"{name} (required)" in shown or f"{name}\n" in shown
    assert "The version that the weights started from, as model/version." in shown
