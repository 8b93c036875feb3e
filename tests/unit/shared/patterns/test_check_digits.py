import pytest

from shared.patterns.check_digits import CHECK_RULES


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("ean", "4006381333931"),
        ("ean", "96385074"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("iso6346", "CSQU3054383"),
        ("luhn", "4111-1111-1111-1111"),
        ("mod97", "79444"),
    ],
)
def test_a_wrong_digit_anywhere_in_a_number_is_noticed(name: str, number: str) -> None:
    fits = CHECK_RULES[name].fits
    assert fits(number)
    for place, character in enumerate(number):
        if character.isdecimal():
            other = number[:place] + str((int(character) + 1) % 10) + number[place + 1 :]
            assert not fits(other), other


@pytest.mark.parametrize("name", CHECK_RULES)
@pytest.mark.parametrize(
    "text", ["", " ", "-", "京", "Ⅷ", "²³", "A" * 200, "1" * 200, "\u0661\u0662"]
)
def test_any_text_can_be_asked_about(name: str, text: str) -> None:
    assert CHECK_RULES[name].fits(text) in (True, False)
