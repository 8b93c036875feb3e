"""What `--search` takes: NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=A,B,C."""

import json
from collections.abc import Sequence
from typing import Any

import typer

FORMS = "like learning_rate=0.0005..0.005:log, batch_size=8..32 or preset=conv,crnn"


def search(
    parameters: Sequence[str] | None, trials: int | None, max_minutes: float | None
) -> dict[str, Any] | None:
    """Return the search that the options ask for, None without `--search`.

    Raises typer.BadParameter for what cannot be understood; values are checked with the request.
    """
    if not parameters:
        if trials is not None:
            raise typer.BadParameter(f"--trials goes with --search, {FORMS}.")
        return None
    wanted = dict(_parse(parameter) for parameter in parameters)
    if len(wanted) < len(parameters):
        raise typer.BadParameter("--search names a parameter twice.")
    limits = {"trials": trials, "max_minutes": max_minutes}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    return {"parameters": wanted, **given}


def _parse(text: str) -> tuple[str, dict[str, Any]]:
    name, equals, values = text.partition("=")
    if not (name and equals and values):
        raise typer.BadParameter(f"--search {text!r} names no values; write it {FORMS}.")
    if ".." not in values:
        return name, {"choices": [_value(choice) for choice in values.split(",")]}
    span, colon, kind = values.partition(":")
    if colon and kind != "log":
        raise typer.BadParameter(f"--search {text!r} ends in {kind!r}; after a colon goes log.")
    low, _, high = span.partition("..")
    return name, {"low": _value(low), "high": _value(high), "log": bool(colon)}


def _value(text: str) -> Any:
    """Return a number, true or false as such, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
