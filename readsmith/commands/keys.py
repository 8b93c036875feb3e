"""`readsmith keys`: who may use the services, and for what."""

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from readsmith.options import options
from readsmith.output import err, out, print_json, print_table, say
from shared.access.tokens import NAME_PATTERN, Scope

if TYPE_CHECKING:
    from shared.access.api_keys import ApiKey, KeyFile

app = typer.Typer(
    help="Make, list and revoke the services' API keys.\n\nExample: readsmith keys list"
)


def _key_name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise typer.BadParameter(
            f"{name!r} is not a key's name: letters, digits, '.', '_', '@' and '-', "
            "at most 64, a letter or digit first."
        )
    return name


Name = Annotated[str, typer.Argument(metavar="NAME", help="The key's name.", callback=_key_name)]
File = Annotated[
    Path, typer.Option("--keys", envvar="READSMITH_KEYS", help="File of the API keys.")
]
FILE = Path("var/keys/keys.json")


@app.command()
def create(
    name: Name,
    scopes: Annotated[
        list[Scope],
        typer.Option("--scope", help="What it may do; several are given by several --scope."),
    ],
    expires_in_days: Annotated[
        int | None, typer.Option(min=1, max=36500, help="Without it, it does not expire.")
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="How often it may ask each process of a service.")
    ] = None,
    keys: File = FILE,
    as_json: options.Json = False,
) -> None:
    """Make a key and print it, this once. The services take it within seconds.

    Example: readsmith keys create phone --scope predict
    """
    lifetime = timedelta(days=expires_in_days) if expires_in_days else None
    token = _file(keys).create(name, scopes, lifetime, requests_per_minute)
    if as_json:
        print_json({"name": name, "scopes": sorted(set(scopes)), "key": token})
    else:
        say(err, f"The key {name}, stored as a hash in {keys} and shown this once:")
        say(out, token)


@app.command("list")
def list_keys(keys: File = FILE, as_json: options.Json = False) -> None:
    """List the keys: names, scopes and limits. The keys themselves are not stored.

    Example: readsmith keys list
    """
    found = _file(keys).read()
    if as_json:
        print_json({"data": [_facts(key) for key in found or ()]})
    elif found is None:
        say(err, f"There is no {keys}: the services run without keys.")
    else:
        columns = ("key", "scopes", "created", "expires", "requests per minute")
        print_table(columns, map(_row, found))


@app.command()
def revoke(name: Name, keys: File = FILE, as_json: options.Json = False) -> None:
    """Take a key away: within seconds it opens nothing any more.

    Example: readsmith keys revoke phone
    """
    left = _file(keys).revoke(name)
    if as_json:
        print_json({"name": name, "left": left})
        return
    say(out, f"Revoked {name}; {left} left.")
    if not left:
        say(err, f"Nobody is let in now. To go without keys, remove {keys} and restart.")


def _file(keys: Path) -> "KeyFile":
    from shared.access.api_keys import KeyFile

    return KeyFile(keys)


def _facts(key: "ApiKey") -> dict[str, object]:
    return key.model_dump(mode="json", exclude={"sha256"}) | {"scopes": sorted(key.scopes)}


def _row(key: "ApiKey") -> tuple[object, ...]:
    expires = key.expires_at and f"{key.expires_at:%Y-%m-%d %H:%M}"
    return (
        key.name,
        ", ".join(sorted(key.scopes)),
        f"{key.created_at:%Y-%m-%d %H:%M}",
        f"{expires} (over)" if key.has_expired else expires,
        key.requests_per_minute,
    )
