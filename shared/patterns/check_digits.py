"""Rules that a text with a check digit must fit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from stdnum import ean, iban, iso6346, luhn
from stdnum.iso7064 import mod_97_10

CheckDigit = Literal["ean", "iban", "iso6346", "luhn", "mod97"]


@dataclass(frozen=True)
class CheckRule:
    """Tells whether a text is a number of a kind.

    texts_per_number: how many texts of digits there are for each one with the right check digit.
    """

    is_valid: Callable[[str], bool]
    texts_per_number: int

    def fits(self, text: str) -> bool:
        """Tell whether a text, spaces and hyphens left out, is such a number."""
        return self.is_valid(text.replace(" ", "").replace("-", ""))


CHECK_RULES: Final[dict[str, CheckRule]] = {
    "ean": CheckRule(ean.is_valid, 10),
    "iban": CheckRule(iban.is_valid, 97),
    "iso6346": CheckRule(iso6346.is_valid, 10),
    "luhn": CheckRule(luhn.is_valid, 10),
    "mod97": CheckRule(mod_97_10.is_valid, 97),
}
