"""What a person has to do until the machine reads: simulated by one who answers from the labels.

    python -m benchmarks.labelling [--set NAME ...] [--draws N] [--order NAME ...] [--most N]
        [--publish] [--json FILE]

Images are confirmed as the labelling page shows them, one in three in random order, and the
trainer's own learning runs after every dozen; it is called directly, without a service. A part of
the images is apart and never shown. READSMITH_TEST_DATA names the folder of the sets; runs that
the file holds are not repeated. --publish trains a model with `readsmith train` after each
learning, from the same labels and images, until it is right on TARGET of the part that is apart.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.table import Table

from benchmarks.few_labels import APART, OTHERS_APART, Images, write, write_images
from benchmarks.record import ROOT, Machine, commit
from predictor.models.engine import Engine
from shared.api.labelling import Estimate
from shared.store.store import ModelStore
from trainer.database.datasets.learnings import is_due
from trainer.labelling.labelled_set import LabelledSet
from trainer.labelling.learn import learned_reader, write_proposals
from trainer.labelling.proposers.engines import installed_engines
from trainer.labelling.proposers.interface import Proposer
from trainer.labelling.proposers.models import starter
from trainer.pipeline.datasets.load import labelled_images
from trainer.schemas.labelling import Proposal
from trainer.schemas.limits import DEFAULT_LIMITS
from trainer.schemas.progress import Observer

TARGET = 0.98
FIRST = 100
"""Confirmations of which is told how many took Enter alone."""
ORDERS = ("informative", "random")
ALL_RANDOM, ONE_IN = 12, 3
"""The page's: the first images are in random order, later one in so many."""


class Learning(BaseModel):
    """What was learned from so many confirmed images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    confirmed: int
    proposed_by: str
    seconds: float
    cpu_seconds: float
    right: float
    """Share of the proposals on the images without a label that are right."""
    apart: float
    """The same on the part that is apart."""
    published: float | None = None
    """What a published model reads right there."""
    estimate: Estimate | None
    """What people are told of `right`."""

    @property
    def held(self) -> bool | None:
        """Whether the interval holds what is right; None where there is none."""
        told = self.estimate
        return None if told is None else told.low <= self.right <= told.high


class Run(BaseModel):
    """One person's work on one draw of a set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str
    set: str
    draw: int
    order: str
    enter_enough: list[bool]
    """For each confirmed image, in turn, whether its proposal was right."""
    learnings: list[Learning]
    load: float

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What is measured, and on which code."""
        return self.commit, self.set, self.draw, self.order


class Record(BaseModel):
    """The runs so far, and the machine of the last ones."""

    model_config = ConfigDict(extra="forbid")

    machine: Machine
    runs: list[Run] = []


class _Source:
    """Images in memory, by name."""

    limits = DEFAULT_LIMITS

    def __init__(self, images: dict[str, bytes]) -> None:
        self._images = images

    def names(self) -> list[str]:
        return sorted(self._images)

    def read(self, name: str) -> bytes:
        return self._images[name]


@dataclass
class _Person:
    """Confirms images in the order in which the page shows them."""

    truths: dict[str, str]
    shown: list[str]
    """All images that may be shown, in random order."""
    order: str
    confirmed: dict[str, str] = field(default_factory=dict)
    random: set[str] = field(default_factory=set)
    enter_enough: list[bool] = field(default_factory=list)

    def confirm(self, proposals: dict[str, Proposal]) -> None:
        """Confirm or correct the next image."""
        left = [name for name in self.shown if name not in self.confirmed]
        name = left[0]
        given = len(self.confirmed)
        if self.order == "random" or given < ALL_RANDOM or given % ONE_IN == 0:
            self.random.add(name)
        else:
            name = max(left, key=lambda each: proposals[each].score)
        proposed = proposals.get(name)
        self.enter_enough.append(proposed is not None and proposed.text == self.truths[name])
        self.confirmed[name] = self.truths[name]


def main() -> None:
    """Run all draws in turn, and print the table."""
    options = _options()
    data = Path(os.environ.get("READSMITH_TEST_DATA", "."))
    machine = Machine.this()
    record = _load(options.json) or Record(machine=machine)
    record.machine = machine
    done = {run.key for run in record.runs}
    for name in options.set:
        if not (data / f"{name}.zip").is_file():
            sys.exit(f"error: there is no {data / name}.zip; set READSMITH_TEST_DATA.")
        images = list(labelled_images(data / f"{name}.zip", "auto"))
        for draw in range(options.draws):
            for order in options.order:
                if (commit(), name, draw, order) in done:
                    continue
                record.runs.append(measure(name, images, draw, order, options))
                if options.json:
                    options.json.write_text(record.model_dump_json(indent=2) + "\n")
    show(record)


def measure(name: str, images: Images, draw: int, order: str, options: argparse.Namespace) -> Run:
    """Confirm and learn in turn, until enough is right or the person has had enough."""
    drawn = np.random.default_rng(1000 + draw).permutation(len(images))
    names = [f"{place:05}" for place in range(len(images))]
    files = {each: images[place] for each, place in zip(names, drawn, strict=True)}
    apart, shown = np.split(np.array(names), [APART.get(name, OTHERS_APART)])
    person = _Person({each: files[each][1] for each in names}, shown.tolist(), order)
    source = _Source({each: files[each][2] for each in names})
    load, learnings = os.getloadavg()[0], []
    while True:
        proposals, learning = _learned(person, source, apart.tolist())
        if options.publish and len(person.confirmed) >= options.least:
            read = _published(person, files, apart.tolist())
            learning = learning.model_copy(update={"published": read})
        learnings.append(learning)
        print(_line(name, draw, order, learning), file=sys.stderr, flush=True)
        if max(learning.published or 0, 0 if options.publish else learning.apart) >= TARGET:
            break
        before = len(person.confirmed)
        while not is_due(before, len(person.confirmed)):
            person.confirm(proposals)
        if len(person.confirmed) > options.most:
            break
    return Run(
        commit=commit(),
        set=name,
        draw=draw,
        order=order,
        enter_enough=person.enter_enough,
        learnings=learnings,
        load=round(load, 2),
    )


def _learned(
    person: _Person, source: _Source, apart: Sequence[str]
) -> tuple[dict[str, Proposal], Learning]:
    """Learn as a learning job does; return the proposals, and how right they are."""
    others = [name for name in person.shown if name not in person.confirmed]
    labelled = LabelledSet(source, person.confirmed, person.random, others)
    started, cpu = time.monotonic(), time.process_time()
    proposers: list[Proposer] = [*installed_engines(), starter(list(person.confirmed.values()))]
    reader = learned_reader(labelled, proposers, Observer())
    written: list[Proposal] = []
    told: list[Estimate | None] = []

    def take(proposals: Sequence[Proposal], estimate: Estimate | None) -> None:
        written.extend(each for each in proposals if not each.suspected)
        told.append(estimate)

    write_proposals(labelled, reader, take)
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    right = [each.text == person.truths[each.image_id] for each in written]
    read = reader.read(apart)
    right_apart = [each.text == person.truths[n] for n, each in zip(apart, read, strict=True)]
    return {each.image_id: each for each in written}, Learning(
        confirmed=len(person.confirmed),
        proposed_by=reader.name,
        seconds=round(seconds, 1),
        cpu_seconds=round(cpu, 1),
        right=statistics.mean(right),
        apart=statistics.mean(right_apart),
        estimate=told[-1],
    )


def _published(
    person: _Person, files: dict[str, tuple[str, str, bytes]], apart: Sequence[str]
) -> float:
    """Train from the confirmed images and those without a label; return the share read right."""
    others = [files[name] for name in person.shown if name not in person.confirmed]
    with tempfile.TemporaryDirectory(prefix="readsmith-") as folder:
        given, store = Path(folder, "given"), Path(folder, "models")
        write(given, [files[name] for name in person.confirmed])
        write_images(given, others, first=len(person.confirmed))
        command = [sys.executable, "-m", "readsmith", "train", str(given), "--store", str(store)]
        command += ["--state", str(Path(folder, "state")), "--promote", "always", "--json"]
        trained = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        version = json.loads(trained.stdout)["version"]
        models = ModelStore(store)
        manifest = models.manifest("default", version)
        engine = Engine.load(models.folder("default", version), manifest)
        read = engine.predict([files[name][2] for name in apart])
    right = [one.text == person.truths[name] for name, one in zip(apart, read, strict=True)]
    return statistics.mean(right)


def show(record: Record) -> None:
    """Print a row for each run."""
    table = Table(title="Labelling: a simulated person")
    for column in (
        "set, draw, order",
        f"confirmed until {TARGET:.0%}",
        f"Enter enough, of the first {FIRST}",
        "right on the others, after so many",
        "interval holds",
        "seconds",
    ):
        table.add_column(column)
    for run in sorted(record.runs, key=lambda each: (each.set, each.draw, each.order)):
        last = run.learnings[-1]
        reached = max(last.published or 0, last.apart) >= TARGET
        first = run.enter_enough[:FIRST]
        held = [each.held for each in run.learnings if each.held is not None]
        table.add_row(
            f"{run.set}, {run.draw}, {run.order}",
            str(last.confirmed) if reached else f"more than {last.confirmed}",
            f"{statistics.mean(first):.0%} of {len(first)}" if first else "–",
            ", ".join(f"{each.right:.0%} ({each.confirmed})" for each in run.learnings),
            f"{sum(held)} of {len(held)}",
            f"{statistics.median(each.seconds for each in run.learnings):.0f}",
        )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    machine = record.machine
    commits = ", ".join(dict.fromkeys(run.commit for run in record.runs))
    console.print(
        f"commit {commits}, {machine.cores} cores of {machine.cpu}, {' '.join(machine.flags)}",
        highlight=False,
    )


def _line(name: str, draw: int, order: str, learning: Learning) -> str:
    told = learning.estimate
    said = (
        "nothing told"
        if told is None
        else (
            f"told {told.accuracy:.1%} ({told.low:.1%} to {told.high:.1%}), "
            f"{told.more_for_98} more for 98 %"
        )
    )
    published = "" if learning.published is None else f", published {learning.published:.1%}"
    return (
        f"{name}, draw {draw}, {order}, {learning.confirmed} confirmed, {learning.proposed_by}: "
        f"{learning.right:.1%} of the others, {learning.apart:.1%} apart{published}; {said}; "
        f"{learning.seconds:.0f} s, {learning.cpu_seconds:.0f} s of CPU"
    )


def _load(path: Path | None) -> Record | None:
    if path is None or not path.exists():
        return None
    try:
        return Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        sys.exit(f"error: {path} is not a result of this benchmark: {error.errors()[0]['msg']}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--set", action="append", help="a zip's name without its ending")
    parser.add_argument("--draws", type=int, default=3, help="with other images each")
    parser.add_argument("--order", action="append", choices=ORDERS, help="repeatable; both")
    parser.add_argument("--most", type=int, default=100, help="confirmations at most")
    parser.add_argument("--publish", action="store_true", help="train a model after each learning")
    parser.add_argument("--least", type=int, default=12, help="confirmations before the first one")
    parser.add_argument("--json", type=Path, help="write the runs to this file, and go on from it")
    options = parser.parse_args()
    options.set = options.set or ["captcha_images_v2"]
    options.order = options.order or ORDERS
    return options


if __name__ == "__main__":
    main()
