"""Writes the labels of a set as Readsmith and other tools read them."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote

from shared.texts import csv_cell
from trainer.pipeline.datasets.labels.label_row import FURTHER, PART_NAMES, STATES, Part

GROUP, SPLIT, STATE = "group", "split", "state"
BEYOND = (GROUP, SPLIT, STATE, *FURTHER)
"""What a set may say of an image beyond its text, by the name of the column."""
UNREADABLE = next(name for name, readable in STATES.items() if readable is False)
_PART_NAMES = {part: name for name, part in reversed(PART_NAMES.items())}
_MARK = "\ufeff"
_LOCAL_FILES = "/data/local-files/?d="


@dataclass(frozen=True, slots=True)
class Entry:
    """What a set says of one image."""

    name: str
    """The image's path in the new set."""
    text: str | None
    """None without a label, empty if there is nothing to read."""
    group: str = ""
    part: Part | None = None
    labelling: Mapping[str, str] = field(default_factory=dict)
    """What a living dataset says of it."""

    def beyond(self) -> dict[str, str]:
        """Return what is said by each of BEYOND, empty if nothing is."""
        split = "" if self.part is None else _PART_NAMES[self.part]
        own = {GROUP: self.group, SPLIT: split, STATE: UNREADABLE if self.text == "" else ""}
        return dict.fromkeys(BEYOND, "") | own | dict(self.labelling)


@dataclass(frozen=True)
class Format:
    """How a format holds labels."""

    write: Callable[[Sequence[Entry]], Mapping[str, str]]
    """From images to the files of their labels: path and content."""
    carries: tuple[str, ...] = ()
    """Which of BEYOND it can say."""
    lists: tuple[str, ...] = ()
    """Names of the files that `write` may make; empty if it makes one beside each image."""

    def why_not(self, text: str) -> str:
        """Return why a label cannot be written, empty if it can."""
        if not self.lists and text.startswith(_MARK):
            return "begins with U+FEFF, which is lost at the begin of a text file"
        return ""


def _readsmith(entries: Sequence[Entry]) -> dict[str, str]:
    further = _said(entries)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["filename", "text", *further])
    for entry in entries:
        beyond = entry.beyond()
        cells = (entry.name, entry.text or "", *(beyond[name] for name in further))
        writer.writerow(map(csv_cell, cells))
    return {"labels.csv": text.getvalue()}


def _said(entries: Sequence[Entry]) -> list[str]:
    """Return which of BEYOND are said of any image."""
    said = [entry.beyond() for entry in entries]
    return [name for name in BEYOND if any(beyond[name] for beyond in said)]


def _paddle(entries: Sequence[Entry]) -> dict[str, str]:
    """Return a list, one for each part where there are several: PaddleOCR has no empty texts."""
    labelled = [entry for entry in entries if entry.text]
    parts = {Part.TRAIN if entry.part is None else entry.part for entry in labelled}
    lists: dict[str, list[str]] = {}
    for entry in labelled:
        part = _PART_NAMES[Part.TRAIN if entry.part is None else entry.part]
        name = f"rec_gt_{part}.txt" if len(parts) > 1 else "rec_gt.txt"
        lists.setdefault(name, []).append(f"{entry.name}\t{entry.text}\n")
    return {name: "".join(lines) for name, lines in lists.items()}


def _gt_txt(entries: Sequence[Entry]) -> dict[str, str]:
    return {
        str(PurePosixPath(entry.name).with_suffix(".gt.txt")): f"{entry.text}\n"
        for entry in entries
        if entry.text
    }


def _huggingface(entries: Sequence[Entry]) -> dict[str, str]:
    """Return JSON lines: of a CSV, pandas would make a number of 007, and nothing of NA."""
    further = _said(entries)
    objects = (
        {"file_name": entry.name, "text": entry.text}
        | {name: entry.beyond()[name] or None for name in further}
        for entry in entries
    )
    return {"metadata.jsonl": "".join(f"{_json(each)}\n" for each in objects)}


def _label_studio(entries: Sequence[Entry]) -> dict[str, str]:
    tasks = ",\n".join(_json(_task(entry)) for entry in entries)
    return {"label-studio.json": f"[{tasks}]\n"}


def _task(entry: Entry) -> dict[str, object]:
    beyond = {name: value for name, value in entry.beyond().items() if value}
    area = {
        "from_name": "transcription",
        "to_name": "image",
        "type": "textarea",
        "value": {"text": [entry.text]},
    }
    annotation = {"result": [area] if entry.text else []}
    return {
        "data": {"image": f"{_LOCAL_FILES}{quote(entry.name)}"} | beyond,
        "annotations": [] if entry.text is None else [annotation],
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


_PADDLE_LISTS = ("rec_gt.txt", *(f"rec_gt_{name}.txt" for name in _PART_NAMES.values()))
FORMATS: Mapping[str, Format] = {
    "readsmith": Format(_readsmith, BEYOND, ("labels.csv",)),
    "paddle": Format(_paddle, (SPLIT,), _PADDLE_LISTS),
    "gt-txt": Format(_gt_txt),
    "huggingface": Format(_huggingface, BEYOND, ("metadata.jsonl",)),
    "label-studio": Format(_label_studio, BEYOND, ("label-studio.json",)),
}
"""By the names that users give them."""
