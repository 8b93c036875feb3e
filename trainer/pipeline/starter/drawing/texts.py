"""The texts of drawn lines: words, nonsense like words, numbers, codes, prices."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from trainer.pipeline.starter.drawing.chance import Chance

DIGITS = "0123456789"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = UPPER.lower()
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
MARKS = "€£§°«»–—’‘“”„…·"
ACCENTED = (
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ"
    "ĄąĆćČčĎďĘęĚěĞğİıŁłŃńŇňŐőŒœŘřŚśŞşŠšŤťŮůŰűŹźŻżŽž"
)
GREEK = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΆΈΉΊΌΎΏαβγδεζηθικλμνξοπρςστυφχψωάέήίόύώ"
CYRILLIC = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюяЄєІіЇїҐґ"
LONG_S = "ſ"
CHARACTERS = (
    " " + PUNCTUATION + DIGITS + UPPER + LOWER + MARKS + ACCENTED + LONG_S + GREEK + CYRILLIC
)
"""Everything that is drawn."""

LONGEST = 32
POOLS: dict[str, float] = {
    DIGITS: 5,
    UPPER: 2,
    LOWER: 3,
    DIGITS + UPPER: 5,
    DIGITS + LOWER: 5,
    DIGITS + UPPER + LOWER: 5,
    UPPER + LOWER: 1,
    "2345678bcdefgmnpwxy": 1,
    "ABCDEFGHJKLMNPQRSTUVWXYZ23456789": 2,
    "0123456789+-*/=?": 1,
    "0123456789abcdef": 1,
    DIGITS + UPPER + LOWER + "@#$%&?!*+-=": 1,
}
"""Alphabets of codes."""

LANGUAGES = {
    "en": 60,
    "de": 10,
    "fr": 8,
    "es": 4,
    "pt": 3,
    "it": 3,
    "pl": 1.5,
    "cs": 1.5,
    "sv": 1,
    "da": 1,
    "tr": 0.7,
    "el": 2.2,
    "ru": 2.5,
    "uk": 0.6,
}
ALPHABETS = {"el": GREEK, "ru": CYRILLIC[:66], "uk": CYRILLIC}
"""Those that are not Latin."""


LIKE_LETTERS = {"æ": "a", "ø": "o", "œ": "o", "ł": "l", "ı": "i", "ß": "s"}


@cache
def accents() -> dict[str, str]:
    """Return the accented letters of each plain one."""
    found: dict[str, str] = defaultdict(str)
    for letter in ACCENTED:
        plain = LIKE_LETTERS.get(letter.lower(), unicodedata.normalize("NFD", letter)[0])
        found[plain.upper() if letter.isupper() else plain] += letter
    return found


class Tongue:
    """The words of a language, and nonsense that follows the same pairs of letters."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self._after: dict[str, list[str]] = defaultdict(list)
        for word in self.words:
            framed = "^^" + word.replace("İ", "i").lower() + "$"
            for i in range(len(framed) - 2):
                self._after[framed[i : i + 2]].append(framed[i + 2])

    def word(self, chance: Chance) -> str:
        """Return a word of the list or, as often, one that is none."""
        if chance.maybe(0.45):
            return chance.pick(self.words)
        word = ""
        while len(word) < 14:
            following = chance.pick(self._after[f"^^{word}"[-2:]])
            if following == "$":
                break
            word += following
        return word or chance.pick(self.words)


@cache
def tongues() -> dict[str, Tongue]:
    """Return the languages of words.txt."""
    lines = Path(__file__).with_name("words.txt").read_text("utf-8").splitlines()
    return {line[:2]: Tongue(unicodedata.normalize("NFC", line[3:]).split()) for line in lines}


def bounded(text: str, longest: int = LONGEST) -> str:
    """Cut a text to whole characters, without spaces at its ends."""
    return " ".join(text[:longest].split(" ")).strip()


def code(chance: Chance, shortest: int = 3, longest: int = 9) -> str:
    """Return characters of one alphabet, each as likely as the others."""
    pool = chance.weighted(POOLS)
    if chance.maybe(0.15):
        pool = "".join(chance.sample(pool, chance.integer(5, max(6, len(pool)))))
    return "".join(chance.pick(pool) for _ in range(chance.integer(shortest, longest)))


def digits(chance: Chance, count: int) -> str:
    """Return that many digits."""
    return "".join(chance.pick(DIGITS) for _ in range(count))


def filled(chance: Chance, pattern: str) -> str:
    """Replace 9 by a digit, A by a capital, a by a small letter, X by a capital or digit."""
    pools = {"9": DIGITS, "A": UPPER, "a": LOWER, "X": DIGITS + UPPER}
    return "".join(chance.pick(pools[c]) if c in pools else c for c in pattern)


def number(chance: Chance) -> str:
    """Return a number: an amount, a date, a time, a reference."""
    pattern = chance.pick(
        (
            "9", "99", "999", "9999", "99999", "999999", "99999999", "9.99", "99.99", "999.99",
            "9,99", "99,99", "9,999.99", "9.999,99", "-9.99", "+99", "99%", "9.9%", "€ 99,99",
            "$9.99", "$999.99", "£99.50", "99/99/9999", "99.99.9999", "9999-99-99", "99-99-99",
            "99:99", "99:99:99", "99/99/99 99:99", "(999) 999-9999", "+99 999 9999999", "999-9999",
            "#9999", "No. 999", "№ 99".replace("№", "Nr."), "§ 99", "99°", "9 x 9.99", "9/9",
            "1999", "20 99", "p. 999", "999 999", "9 999 999", "[99]", "(99)", "99.", "9)", "*99",
            "999kg", "99 cm", "A4-99", "AA-999", "AA99 AAA", "X9X9-9X9X", "9999 9999 9999 9999",
            "AA99 9999 9999 9999", "a9a9a9", "99999-999", "999.999.999-99", "=99", "<99>", "99 €",
        )
    )  # fmt: skip
    return filled(chance, pattern)


def _cased(chance: Chance, word: str, style: str) -> str:
    if style == "upper":
        upper = word.replace("ß", "SS").upper()
        return upper if len(upper) == len(word) or "ß" in word else word
    if style == "title":
        return word[:1].upper() + word[1:]
    if style == "mixed":
        return "".join(c.upper() if chance.maybe(0.5) and c != "ß" else c for c in word)
    return word


def _any(chance: Chance, letters: str) -> str:
    """Return a word of any letters, so that the rare ones are seen as well."""
    return "".join(chance.pick(letters) for _ in range(chance.integer(2, 8)))


def _accented(chance: Chance, word: str) -> str:
    """Put accents on letters, so that those of small languages are seen as well."""
    known = accents()
    return "".join(
        chance.pick(known[letter]) if letter in known and chance.maybe(0.4) else letter
        for letter in word
    )


def _marked(chance: Chance, words: list[str]) -> str:
    """Join words, with the marks of sentences here and there."""
    text = words[0]
    for word in words[1:]:
        if chance.maybe(0.12):
            text += chance.pick((",", ".", ";", ":", " -", " –", " —", "…", " /", " &", "?", "!"))
        text += chance.pick(("-", "'", "/", ".", "_", "’")) if chance.maybe(0.04) else " "
        text += word
    if chance.maybe(0.15):
        text += chance.pick((".", ",", "!", "?", ":", ";", "-", "…", '."'))
    if chance.maybe(0.05):
        left, right = chance.pick(
            (("(", ")"), ("[", "]"), ("«", "»"), ("“", "”"), ('"', '"'), ("„", "“"), ("'", "'"))
        )
        text = f"{left}{text}{right}"
    return text


def phrase(
    chance: Chance, longest: int = LONGEST, languages: dict[str, float] | None = None
) -> str:
    """Return words of one language, with numbers and marks among them."""
    language = chance.weighted(languages or LANGUAGES)
    tongue = tongues()[language]
    style = chance.weighted({"as is": 4, "title": 3, "upper": 2.5, "mixed": 0.2})
    count = chance.weighted({1: 5, 2: 3, 3: 2, 4: 2, 5: 1.5, 6: 1})
    words = [_cased(chance, tongue.word(chance), style) for _ in range(count)]
    if language in ALPHABETS:
        words = [_any(chance, ALPHABETS[language]) if chance.maybe(0.2) else w for w in words]
    elif chance.maybe(0.06):
        words = [_accented(chance, word) for word in words]
    if chance.maybe(0.12):
        words.insert(chance.integer(0, len(words)), number(chance))
    text = bounded(_marked(chance, words), longest)
    if chance.maybe(0.05):
        text = bounded(text[chance.integer(0, len(text) // 2) :])
    return text or "a"


def printed(chance: Chance, longest: int = LONGEST) -> str:
    """Return what is found in print: phrases mostly, numbers, codes."""
    what = chance.weighted({"phrase": 6, "number": 2, "code": 1.4, "any": 0.8})
    if what == "phrase":
        return phrase(chance, longest)
    if what == "number":
        return bounded(number(chance), longest)
    if what == "code":
        return code(chance, 1, min(12, longest))
    pool = DIGITS + UPPER + LOWER + PUNCTUATION * 2 + MARKS
    return "".join(chance.pick(pool) for _ in range(chance.integer(1, 12)))


def long_s(text: str) -> str:
    """Write s as old print does: long, but at the end of a word."""
    old = ""
    for i, character in enumerate(text):
        inside = i + 1 < len(text) and text[i + 1].isalpha()
        old += LONG_S if character == "s" and inside else character
    return old


def needs(text: str) -> str:
    """Return the groups of characters that a font must cover for a text, as fonts.csv says them."""
    groups = {
        "l": LOWER,
        "p": PUNCTUATION,
        "c": ACCENTED,
        "g": GREEK,
        "y": CYRILLIC,
        "m": MARKS,
        "s": LONG_S,
    }
    return "".join(group for group, members in groups.items() if not set(text).isdisjoint(members))
