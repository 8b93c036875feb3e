"""Reads a service's settings from the environment, and says what is wrong with them."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import SetupError
from shared.texts import plain_fault

Known = TypeVar("Known", bound=BaseModel)


def read_settings(settings: Callable[[], Known]) -> Known:
    """Return the settings; raises SetupError naming each variable that is wrong."""
    try:
        return settings()
    except ValidationError as error:
        wrong = [_explain(str(one["loc"][0]), one["msg"], one["input"]) for one in error.errors()]
        raise SetupError(
            "settings_invalid", f"{'; '.join(wrong)}.", "README.md lists every setting."
        ) from None


def _explain(name: str, message: str, value: object) -> str:
    variable = name if name.startswith("READSMITH_") else f"READSMITH_{name.upper()}"
    message = plain_fault(message)
    return f"{variable} is {value!r}: {message[0].lower()}{message[1:]}"
