"""Tells in which encoding a text file is written."""

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", ""),  # Excel begins UTF-8 with it: as good as UTF-8
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # begins as UTF-16 does
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
WESTERN = "Windows-1252"
"""Guessed, so that it must be said."""
FIRST_LETTERS = 0xA0
"""Below it, Windows-1252 has dashes and quotation marks, hardly a letter."""
EURO = 0x80
"""Its sign in Windows-1252, and the begin of a character in no Asian encoding."""
_HIGH = re.compile(rb"[\x80-\xff]+")


class UnknownEncodingError(ValueError):
    """Bytes that are not UTF-8 and for which no other encoding is likely."""

    def __init__(self, at: int) -> None:
        super().__init__(f"is not UTF-8 at byte {at}")


def decoded(data: bytes) -> tuple[str, str]:
    """Return the text and the encoding's name, empty for UTF-8.

    UTF-8, UTF-16 where a byte order mark or its zeros tell it, else Windows-1252, as Excel saves
    a CSV in western Europe. Raises UnknownEncodingError.
    """
    try:
        for mark, encoding, name in _MARKS:
            if data.startswith(mark):
                return data.decode(encoding), name
        if (utf16 := _unmarked_utf16(data)) is not None:
            return data.decode(utf16), "UTF-16 without a byte order mark"
        return data.decode(), ""
    except UnicodeDecodeError as error:
        if not _western(data):
            raise UnknownEncodingError(error.start) from error
        try:
            return data.decode("cp1252"), WESTERN
        except UnicodeDecodeError:
            raise UnknownEncodingError(error.start) from error


def _unmarked_utf16(data: bytes) -> str | None:
    """Return the encoding of ASCII in UTF-16, in which every other byte is zero."""
    head = data[:200]
    if len(head) < 2 or len(data) % 2 or b"\0" not in head:
        return None
    if head[1::2].count(0) * 2 > len(head[1::2]) and 0 not in head[::2]:
        return "utf-16-le"
    return "utf-16-be" if head[::2].count(0) * 2 > len(head[::2]) and 0 not in head[1::2] else None


def _western(data: bytes) -> bool:
    """Tell whether bytes above 127 stand mostly alone, as accented letters do.

    In Cyrillic, Greek, Chinese and Japanese encodings they stand next to each other, in
    Shift JIS beside bytes below 160: read as Windows-1252, every label would be wrong.
    """
    runs = _HIGH.findall(data)
    count = sum(map(len, runs))
    alone = sum(len(run) == 1 for run in runs)
    low = sum(EURO < byte < FIRST_LETTERS for run in runs for byte in run)
    return 2 * alone > count and 2 * low < count
