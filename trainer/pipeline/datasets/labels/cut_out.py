"""Cuts the lines of text out of images that boxes mark, each once, into a temporary file."""

import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from shared.errors import DatasetError, ImageRejectedError
from shared.texts import shown
from trainer.pipeline.datasets.labels.found import DatasetProblem, FoundLabels
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.pipeline.datasets.sources.marked.boxes import (
    Box,
    CutSource,
    MarkedImage,
    Span,
    UnusableBoxError,
    png,
)
from trainer.pipeline.datasets.sources.marked.photographs import why_no_photographs
from trainer.pipeline.datasets.sources.source import ImageSource
from trainer.pipeline.datasets.sources.text_columns import Texts, TextTable
from trainer.pipeline.datasets.sources.threads import map_in_threads

MOST_COVERED = 8
"""How many times the boxes of an image may cover it: cutting takes time for each pixel."""


READS_LINES = (
    "The model then reads such lines: send lines cut out in the same way to /predict, not whole "
    "images"
)
READS_PHOTOGRAPHS = (
    "A detector learns where they are: send whole images, like those of the set, to /predict."
)


def cut_out(source: ImageSource, found: FoundLabels, *, may_detect: bool = False) -> ImageSource:
    """Return the source with the cuts that boxes mark; record those that cannot be cut.

    may_detect: whether a detector is to learn from them, where it can, as found.detects then says.
    Raises ReadsmithError dataset_too_large.
    """
    if not found.boxes:
        return source
    why_not = why_no_photographs(found.labels, found.boxes) if may_detect else ""
    found.detects = why_not is None
    folder = Path(tempfile.mkdtemp(prefix="readsmith-cuts-"))
    try:
        cutter = _Cutter(source, found, folder / "cuts")
        cuts = CutSource(source, cutter.path, cutter.cut_all())
        reason = f" (no detector: {why_not})." if why_not else "."
        cutter.tell(READS_PHOTOGRAPHS if found.detects else f"{READS_LINES}{reason}")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(cuts, shutil.rmtree, folder, ignore_errors=True)
    return cuts


class _Cutter:
    """Cuts the boxes of each image, decoded once, and appends them to a file."""

    def __init__(self, source: ImageSource, found: FoundLabels, path: Path) -> None:
        self.path = path
        self._source = source
        self._found = found
        self._boxes: dict[str, dict[str, Box]] = {}
        """By image and by the name of the cut."""
        for name in found.names():
            if name in found.boxes:
                image, box = found.boxes[name]
                self._boxes.setdefault(image, {})[name] = box
        self._cuts: dict[str, Span] = {}
        self._odd: dict[str, list[str]] = {}
        """The cuts that a user should look at, by what is odd about them."""
        self._written = 0
        self._lock = threading.Lock()

    def cut_all(self) -> dict[str, Span]:
        """Cut all boxes; return where each is in the file."""
        with self.path.open("wb") as file:
            problems = [
                problem
                for some in map_in_threads(
                    lambda image: list(self._cut(image, file)), list(self._boxes)
                )
                for problem in some
            ]
        self._leave_out(problems)
        self._warn_of_whole()
        self._found.warnings += [
            f"{len(cuts)} of {len(self._cuts)} boxes {oddity} ({self._found.place(min(cuts))})."
            for oddity, cuts in sorted(self._odd.items())
        ]
        return self._cuts

    def _warn_of_whole(self) -> None:
        """Warn of images that have a text and no box: a whole page is seldom one line."""
        whole = [name for name in self._found.labels if name not in self._found.boxes]
        if whole:
            self._found.warnings.append(
                f"{len(whole)} of {len(whole) + len(self._boxes)} images have a text and no box, "
                f"and are taken whole, as if cut out already ({self._found.place(whole[0])}): if "
                "they are not, give them a box or no text."
            )

    def tell(self, then: str) -> None:
        """Note how many lines are cut, and what comes of it."""
        count = len({image for image, boxes in self._boxes.items() if boxes.keys() & self._cuts})
        self._found.notes.append(
            f"{len(self._cuts)} lines are cut out of {count} images by their boxes. {then}"
        )

    def _cut(self, name: str, file: BinaryIO) -> Iterator[tuple[str, DatasetProblem]]:
        """Append the cuts of an image; yield the names and problems of those that are none."""
        boxes = self._boxes[name]
        try:
            image = MarkedImage(self._source.read(name))
        except (UnreadableEntryError, ImageRejectedError) as error:
            detail = error.message if isinstance(error, ImageRejectedError) else f"It {error}."
            yield from ((cut, DatasetProblem("unreadable", shown(name), detail)) for cut in boxes)
            return
        covered = 0
        for cut, box in boxes.items():
            try:
                line = image.cut(box)
                covered += line.width * line.height
                if covered > MOST_COVERED * image.image.width * image.image.height:
                    raise UnusableBoxError(
                        f"and those before it cover the image more than {MOST_COVERED} times: draw "
                        "each around one line"
                    )
            except UnusableBoxError as error:
                detail = f"{self._found.place(cut)}: the box {error}."
                yield cut, DatasetProblem("unusable_box", shown(name), detail)
            else:
                self._append(cut, png(line), file)
                with self._lock:
                    for oddity in image.oddities(box):
                        self._odd.setdefault(oddity, []).append(cut)

    def _append(self, name: str, data: bytes, file: BinaryIO) -> None:
        with self._lock:
            most = self._source.limits.bytes
            if self._written + len(data) > most:
                raise DatasetError(
                    "dataset_too_large",
                    f"The lines that boxes mark have more than {most:,} bytes, cut out.",
                    "Give fewer images, or raise READSMITH_MAX_DATASET_BYTES.",
                )
            file.write(data)
            self._cuts[name] = Span(self._written, len(data))
            self._written += len(data)

    def _leave_out(self, problems: list[tuple[str, DatasetProblem]]) -> None:
        found, without = self._found, {name for name, _ in problems}
        # Of an image that cannot be opened, the same problem came with each of its boxes.
        found.problems += dict.fromkeys(problem for _, problem in problems)
        names = [name for name in found.labels if name not in without]
        found.labels = TextTable(Texts(names), Texts(found.labels[name] for name in names))
        found.decided = {n: text for n, text in found.decided.items() if n not in without}
