"""Living datasets in the formats of other tools."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from shared.api.labelling import ImageState
from trainer.database.datasets.versions import names_in_set
from trainer.database.rows import moment
from trainer.pipeline.datasets.writers.lists import FORMATS, Entry

Named = list[tuple[str, Row[Any]]]


def exported(rows: Sequence[Row[Any]], to: str) -> tuple[Named, dict[str, bytes]]:
    """Return the images to write, by their names in the set, and the files of their labels.

    to: one of FORMATS. Images whose labels the format cannot write are there without a label.
    """
    writer = FORMATS[to]
    named = list(zip(names_in_set(rows, writer.lists), rows, strict=True))
    entries = [_entry(name, row) for name, row in named]
    writable = [
        Entry(each.name, None) if each.text and writer.why_not(each.text) else each
        for each in entries
    ]
    lists = writer.write(writable)
    return named, {name: text.encode() for name, text in lists.items()}


def _entry(name: str, row: Row[Any]) -> Entry:
    text = "" if row.state == ImageState.UNREADABLE else row.text
    said = {
        "state": row.state,
        "by": row.by or "",
        "at": "" if row.at is None else moment(row.at).isoformat(),
        "random": "true" if row.random else "",
        "proposal": row.proposal or "",
        "confidence": "" if row.proposal is None else f"{row.confidence:.4f}",
        "proposed_by": row.proposed_by or "",
    }
    return Entry(name, text, labelling={key: value for key, value in said.items() if value})
