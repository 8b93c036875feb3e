"""No list of labels, however it is written, gives a wrong label without a word."""

import csv
import io
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import ReadsmithError
from trainer.pipeline.datasets.labels.found import FoundLabels
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.schemas.labels import UnusableLabelError, usable_label
from trainer.schemas.limits import DEFAULT_LIMITS

HARD = ("=1+1", "'=1+1", "-5", "007", "1.50", "NA", "text", "file", "0001.png", "p1.png", "[A]")
QUESTIONS = {
    "labels_not_utf8", "labels_header", "labels_ambiguous", "labels_column", "labels_not_found",
}  # fmt: skip

texts = st.one_of(
    st.sampled_from(HARD),
    st.text("ab1\"',;|\t= \\[]{}", min_size=1, max_size=8),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
    st.text("abc\n\r\x0b\x0c\x1c\x85\u2028\ufeff\"'", min_size=1, max_size=6),
    st.text("éüßñ€“”дЖ東京שa1", min_size=1, max_size=8),
)
stems = st.one_of(
    st.integers(0, 9).map("{:04}".format),
    st.text("ab1 ,;|\"'=-%.é()", min_size=1, max_size=6).map("p{}q".format),
)
names = st.tuples(st.sampled_from(("", "", "a/", "train/")), stems, st.sampled_from(("png", "JPG")))


@dataclass(frozen=True)
class Style:
    """How a list is written."""

    file: str
    delimiter: str
    header: tuple[str, str] | None
    text_first: bool
    further: str
    """The header of a third column, empty without one."""
    quoting: str
    """As in a CSV where it must be or everywhere, or not at all."""
    encoding: str
    line_end: str

    def written(self, labels: Sequence[tuple[str, str]]) -> bytes:
        """Return the list's bytes; raises UnicodeEncodeError."""
        rows = [*([self.header] if self.header else []), *labels]
        cells: list[tuple[str, ...]] = [row[::-1] if self.text_first else row for row in rows]
        if self.further:
            beside = [self.further] * bool(self.header) + [""] * len(labels)
            cells = [(*row, more) for row, more in zip(cells, beside, strict=True)]
        if self.quoting == "none":
            lines = (self.delimiter.join(row) for row in cells)
            return self.line_end.join([*lines, ""]).encode(self.encoding)
        text = io.StringIO(newline="")
        csv.writer(
            text,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_ALL if self.quoting == "all" else csv.QUOTE_MINIMAL,
            lineterminator=self.line_end,
        ).writerows(cells)
        return text.getvalue().encode(self.encoding)


styles = st.builds(
    Style,
    file=st.sampled_from(("labels.csv", "labels.tsv", "gt.txt", "set/list.csv", "metadata.csv")),
    delimiter=st.sampled_from((",", ",", ";", "\t", "|", " ")),
    header=st.none()
    | st.tuples(
        st.sampled_from(("filename", "Image", "path", "File Name", "Dateiname")),
        st.sampled_from(("text", "words", "Label", "plate_text", "serial")),
    ),
    text_first=st.booleans(),
    further=st.sampled_from(("", "", "group", "id")),
    quoting=st.sampled_from(("minimal", "all", "none")),
    encoding=st.sampled_from(
        (
            "utf-8",
            "utf-8",
            "utf-8-sig",
            "utf-16",
            "utf-16-le",
            "utf-16-be",
            "cp1252",
            "utf-32",
            "cp1250",
            "cp1251",
            "cp1254",
            "gbk",
            "shift_jis",
        )
    ),
    line_end=st.sampled_from(("\n", "\r\n", "\r")),
)


class Files:
    """A set in memory."""

    limits = DEFAULT_LIMITS

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def names(self) -> list[str]:
        return sorted(self._files)

    def read(self, name: str) -> bytes:
        return self._files[name]


def read(images: Sequence[str], file: str, data: bytes) -> FoundLabels:
    return find_labels(Files({file: data} | dict.fromkeys(images, b"")), "auto")


def usable(text: str) -> str | None:
    try:
        return usable_label(text)
    except UnusableLabelError:
        return None


def may_mean_two(text: str, style: Style) -> bool:
    """Tell whether nobody could say which text was meant."""
    quoted = style.quoting == "none" and text.strip().startswith('"')
    marked = text.startswith("\ufeff")  # a byte order mark at the begin of a file
    cut = style.delimiter == " " and {text.strip()[:1], text.strip()[-1:]} & {*",;|"}  # a, 1.png
    return quoted or marked or bool(cut)


def is_utf8(data: bytes) -> bool:
    try:
        return not data.decode().isascii()
    except UnicodeDecodeError:
        return False


def in_any_case(parts: tuple[str, str, str]) -> str:
    return unicodedata.normalize("NFC", parts[1]).casefold()


def unescaped(found: FoundLabels) -> bool:
    return any("lose the apostrophe" in note for note in found.notes)


@given(
    st.lists(
        st.tuples(names, texts), min_size=1, max_size=6, unique_by=lambda row: in_any_case(row[0])
    ),
    styles,
)
@example(
    [(("", "0000", "png"), "1"), (("", "p1q", "png"), '0\n""')],
    Style("labels.csv", ",", None, False, "", "none", "utf-8", "\n"),
)
# The same examples in each run, or others where READSMITH_TEST_FAULTS is set.
@settings(max_examples=2000, deadline=None, derandomize="READSMITH_TEST_FAULTS" not in os.environ)
def test_a_label_is_read_exactly_or_something_is_said(
    rows: list[tuple[tuple[str, str, str], str]], style: Style
) -> None:
    labels = {f"{folder}{stem}.{ending}": text for (folder, stem, ending), text in rows}
    labels = {name: text for name, text in labels.items() if not may_mean_two(text, style)}
    try:
        data = style.written(list(labels.items()))
    except UnicodeEncodeError:
        return
    if not style.encoding.startswith("utf") and is_utf8(data):
        return
    try:
        found = read(list(labels), style.file, data)
    except ReadsmithError as error:
        assert error.code in QUESTIONS
        return
    named = {problem.file for problem in found.problems}
    for name, text in labels.items():
        label = found.labels.get(name)
        said = found.warnings or unescaped(found) if label else name in named
        assert label == usable(text) or said, (name, text, label, data)
