"""What a reader sees as one character: a letter with its marks, which are code points of their own.

Networks, vocabularies, patterns and error rates count code points; what is shown or answered
character by character goes by clusters, as a mark alone says nothing. (Unicode Standard Annex #29.)
"""


def clusters(text: str) -> list[str]:
    """Split a text into its extended grapheme clusters, which together are the text."""
    if text.isascii():
        return list(text)
    import regex  # noqa: PLC0415 - 1.5 MB in each worker, and most read nothing but ASCII

    return regex.findall(r"\X", text)
