"""What a few labels bring, counted as their user does: all that were given, every second waited.

    python -m benchmarks.few_labels [--set NAME ...] [--labels N ...] [--draws N] [--way NAME ...]
        [--json FILE]

Each draw gives `readsmith train` so many images of a set, with their labels, and has the published
version read others that it was not given. Every training has its own process. READSMITH_TEST_DATA
names the folder of the sets. Runs of the same commit that the file holds are not repeated.
"""

import argparse
import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.table import Table

from benchmarks.record import ROOT, Machine, commit
from predictor.models.engine import Engine
from shared.store.store import ModelStore
from trainer.pipeline.datasets.load import labelled_images

WAYS = {
    "default": (),
    "test part": ("--evaluation", "test_part"),
    "closed": ("--vocabulary", "closed"),
    "unlabelled": (),
}
"""By name, the options that switch off a part of it; in the last, the set's other images are given
as well, without their labels."""
COUNTS = (10, 25, 50, 100, 200)
APART = {"captcha_images_v2": 93}
OTHERS_APART = 150
"""Images that are read and never given."""

Images = list[tuple[str, str, bytes]]
"""Names, labels and encoded images."""


class Run(BaseModel):
    """One training, and what its version reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str
    set: str
    labels: int
    draw: int
    way: str
    preset: str
    right: int
    images: int
    own: tuple[float, float]
    """The 95 % interval of exact match that the job gives itself."""
    seconds: float
    load: float

    @property
    def key(self) -> tuple[str, str, int, int, str]:
        """What is measured, and on which code."""
        return self.commit, self.set, self.labels, self.draw, self.way

    @property
    def held(self) -> bool:
        """Whether the job's own interval holds what is read."""
        low, high = self.own
        return low <= self.right / self.images <= high


class Record(BaseModel):
    """The runs so far, and the machine of the last ones."""

    model_config = ConfigDict(extra="forbid")

    machine: Machine
    runs: list[Run] = []


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
            for count in options.labels:
                for way in options.way:
                    if (commit(), name, count, draw, way) in done:
                        continue
                    record.runs.append(measure(name, images, count, draw, way))
                    print(_line(record.runs[-1]), file=sys.stderr, flush=True)
                    if options.json:
                        options.json.write_text(record.model_dump_json(indent=2) + "\n")
    show(record)


def measure(name: str, images: Images, count: int, draw: int, way: str) -> Run:
    """Train on some images and read others; raises CalledProcessError if training fails."""
    order = np.random.default_rng(1000 + draw).permutation(len(images))
    chosen = [images[index] for index in order]
    apart = APART.get(name, OTHERS_APART)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="readsmith-") as folder:
        given, store = Path(folder, "given"), Path(folder, "models")
        write(given, chosen[apart : apart + count])
        if way == "unlabelled":
            write_images(given, chosen[apart + count :], first=count)
        command = [sys.executable, "-m", "readsmith", "train", str(given), "--store", str(store)]
        command += ["--state", str(Path(folder, "state")), "--promote", "always", "--json"]
        started = time.monotonic()
        trained = subprocess.run(
            [*command, *WAYS[way]], cwd=ROOT, check=True, capture_output=True, text=True
        )
        seconds = time.monotonic() - started
        result = json.loads(trained.stdout)
        models = ModelStore(store)
        engine = Engine.load(models.folder("default", 1), models.manifest("default", 1))
        read = engine.predict([data for _, _, data in chosen[:apart]])
    right = sum(one.text == label for one, (_, label, _) in zip(read, chosen, strict=False))
    return Run(
        commit=commit(),
        set=name,
        labels=count,
        draw=draw,
        way=way,
        preset=result["preset"],
        right=right,
        images=apart,
        own=result["exact_match_interval"],
        seconds=round(seconds, 1),
        load=round(load, 2),
    )


def write(folder: Path, images: Images) -> None:
    """Write images and a list of their labels into a new folder; their names are numbers."""
    folder.mkdir()
    table = io.StringIO(newline="")
    rows = csv.writer(table)
    rows.writerow(["filename", "text"])
    rows.writerows([_file(number), label] for number, (_, label, _) in enumerate(images))
    (folder / "labels.csv").write_text(table.getvalue(), encoding="utf-8")
    write_images(folder, images)


def write_images(folder: Path, images: Images, first: int = 0) -> None:
    """Write images whose names are numbers from `first` on."""
    for number, (_, _, data) in enumerate(images, first):
        (folder / _file(number)).write_bytes(data)


def _file(number: int) -> str:
    return f"{number:04}.png"


def show(record: Record) -> None:
    """Print a row for each set, number of labels and way."""
    table = Table(title="A few labels: images read right that were not given")
    for column in ("set, labels", "way", "right (mean)", "each", "own interval holds", "seconds"):
        table.add_column(column)
    kinds = dict.fromkeys((run.set, run.labels, run.way) for run in record.runs)
    for kind in sorted(kinds, key=lambda each: (each[0], each[1], list(WAYS).index(each[2]))):
        runs = [run for run in record.runs if (run.set, run.labels, run.way) == kind]
        name, labels, way = kind
        share = statistics.mean(run.right / run.images for run in runs)
        table.add_row(
            f"{name}, {labels}",
            way,
            f"{share:.1%}",
            f"{', '.join(str(run.right) for run in runs)} of {runs[0].images}",
            f"{sum(run.held for run in runs)} of {len(runs)}",
            f"{statistics.median(run.seconds for run in runs):.0f}",
        )
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    machine = record.machine
    commits = ", ".join(dict.fromkeys(run.commit for run in record.runs))
    console.print(
        f"commit {commits}, {machine.cores} cores of {machine.cpu}, {' '.join(machine.flags)}, "
        f"load before each {_spread([run.load for run in record.runs])}",
        highlight=False,
    )


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}" if values else "–"


def _line(run: Run) -> str:
    low, high = run.own
    return (
        f"{run.set}, {run.labels} labels, draw {run.draw}, {run.way}: {run.right} of {run.images}, "
        f"its own {low:.0%} to {high:.0%}, {run.preset}, {run.seconds:.0f} s"
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
    parser.add_argument("--labels", action="append", type=int, help="how many are given")
    parser.add_argument("--draws", type=int, default=5, help="with other images each")
    parser.add_argument("--way", action="append", choices=WAYS, help="repeatable; all of them")
    parser.add_argument("--json", type=Path, help="write the runs to this file, and go on from it")
    options = parser.parse_args()
    options.set = options.set or ["captcha_images_v2"]
    options.labels = options.labels or COUNTS
    options.way = options.way or WAYS
    return options


if __name__ == "__main__":
    main()
