"""Parses XML of bounded size, without what makes XML dangerous."""

from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

MOST_ELEMENTS = 1_000_000
"""Each takes some hundred bytes of memory, and as few as four in the file."""


class _FewElements(TreeBuilder):
    """Builds the tree; raises ValueError for too many elements."""

    count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self.count += 1
        if self.count > MOST_ELEMENTS:
            raise ValueError(f"it has more than {MOST_ELEMENTS:,} elements")
        return super().start(tag, attrs)


def root_of(text: str) -> Element:
    """Return the root element; raises ValueError.

    Declarations are refused before anything is parsed: entities that refer to each other grow
    without end, or read other files.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("it declares a document type or entities, which are not read")
    parser: XMLParser[Element] = XMLParser(target=_FewElements())  # noqa: S314 - see above
    try:
        parser.feed(text)
        return parser.close()
    except ParseError as error:
        raise ValueError(str(error)) from error


def child_text(element: Element, name: str) -> str:
    """Return the text of the first child of a name, without space around it; empty for none."""
    return (element.findtext(name) or "").strip()
