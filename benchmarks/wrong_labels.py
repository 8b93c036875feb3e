"""Wrong labels that are planted among right ones: how many does a report suspect?

    python -m benchmarks.wrong_labels [--set NAME ...] [--planted IMAGES:WRONG ...] [--draws N]
        [--json FILE]

One half gets one other character, the other half the labels of each other's images. `readsmith
train` has no options. READSMITH_TEST_DATA names the folder of the sets. Runs of the same commit
that the file holds are not repeated.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.table import Table

from benchmarks.few_labels import Images, write
from benchmarks.record import ROOT, Machine, commit
from shared.store.store import ModelStore
from trainer.pipeline.datasets.load import labelled_images

PLANTED = ("150:9", "840:50")


class Finds(BaseModel):
    """One training on labels of which some are wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str
    set: str
    images: int
    wrong: int
    draw: int
    found: int
    false_alarms: int

    @property
    def key(self) -> tuple[str, str, int, int, int]:
        """What is measured, and on which code."""
        return self.commit, self.set, self.images, self.wrong, self.draw


class FindsRecord(BaseModel):
    """The runs so far, and the machine of the last ones."""

    model_config = ConfigDict(extra="forbid")

    machine: Machine
    runs: list[Finds] = []


def main() -> None:
    """Run all draws in turn, and print the table."""
    options = _options()
    data = Path(os.environ.get("READSMITH_TEST_DATA", "."))
    machine = Machine.this()
    record = _load(options.json) or FindsRecord(machine=machine)
    record.machine = machine
    done = {run.key for run in record.runs}
    for name in options.set:
        if not (data / f"{name}.zip").is_file():
            sys.exit(f"error: there is no {data / name}.zip; set READSMITH_TEST_DATA.")
        images = list(labelled_images(data / f"{name}.zip", "auto"))
        for draw in range(options.draws):
            for count, wrong in (map(int, each.split(":")) for each in options.planted):
                if (commit(), name, count, wrong, draw) in done:
                    continue
                order = np.random.default_rng(2000 + draw).permutation(len(images))[:count]
                given, planted = plant([images[index] for index in order], wrong, draw)
                suspects = _suspects(given)
                record.runs.append(
                    Finds(
                        commit=commit(),
                        set=name,
                        images=count,
                        wrong=wrong,
                        draw=draw,
                        found=len(suspects & planted),
                        false_alarms=len(suspects - planted),
                    )
                )
                print(record.runs[-1], file=sys.stderr, flush=True)
                if options.json:
                    options.json.write_text(record.model_dump_json(indent=2) + "\n")
    show(record)


def plant(images: Images, wrong: int, seed: int) -> tuple[Images, set[int]]:
    """Return the images with so many wrong labels, and which those are."""
    chance = np.random.default_rng(3000 + seed)
    characters = sorted({character for _, label, _ in images for character in label})
    chosen = chance.choice(len(images), wrong, replace=False).tolist()
    swapped = chosen[: wrong // 4 * 2]
    labels = [label for _, label, _ in images]
    for one, other in zip(swapped[::2], swapped[1::2], strict=True):
        labels[one], labels[other] = labels[other], labels[one]
    for one in chosen[len(swapped) :]:
        at = int(chance.integers(len(labels[one])))
        others = [each for each in characters if each != labels[one][at]]
        changed = others[int(chance.integers(len(others)))]
        labels[one] = labels[one][:at] + changed + labels[one][at + 1 :]
    planted = {one for one in chosen if labels[one] != images[one][1]}
    return [(n, label, data) for (n, _, data), label in zip(images, labels, strict=True)], planted


def _suspects(images: Images) -> set[int]:
    """Train; return the numbers of the images that the version's report suspects."""
    with tempfile.TemporaryDirectory(prefix="readsmith-") as folder:
        given, store = Path(folder, "given"), Path(folder, "models")
        write(given, images)
        command = [sys.executable, "-m", "readsmith", "train", str(given), "--store", str(store)]
        command += ["--state", str(Path(folder, "state")), "--promote", "always", "--json"]
        trained = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        version = json.loads(trained.stdout)["version"]
        report = ModelStore(store).folder("default", version) / "report" / "suspects.csv"
        with report.open(encoding="utf-8", newline="") as file:
            return {int(Path(row["file"]).stem) for row in csv.DictReader(file)}


def show(record: FindsRecord) -> None:
    """Print a row for each set and number of labels."""
    table = Table(title="Planted wrong labels that a report suspects")
    for column in ("set, images", "wrong", "found", "false alarms"):
        table.add_column(column)
    for kind in sorted({(run.set, run.images, run.wrong) for run in record.runs}):
        runs = [run for run in record.runs if (run.set, run.images, run.wrong) == kind]
        name, images, wrong = kind
        share = statistics.mean(run.found / run.wrong for run in runs)
        found = ", ".join(str(run.found) for run in runs)
        false = ", ".join(str(run.false_alarms) for run in runs)
        table.add_row(f"{name}, {images}", str(wrong), f"{share:.0%} ({found})", false)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    machine = record.machine
    commits = ", ".join(dict.fromkeys(run.commit for run in record.runs))
    console.print(f"commit {commits}, {machine.cores} cores of {machine.cpu}", highlight=False)


def _load(path: Path | None) -> FindsRecord | None:
    if path is None or not path.exists():
        return None
    try:
        return FindsRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        sys.exit(f"error: {path} is not a result of this benchmark: {error.errors()[0]['msg']}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--set", action="append", help="a zip's name without its ending")
    parser.add_argument("--planted", action="append", help="IMAGES:WRONG, repeatable")
    parser.add_argument("--draws", type=int, default=3, help="with other images each")
    parser.add_argument("--json", type=Path, help="write the runs to this file, and go on from it")
    options = parser.parse_args()
    options.set = options.set or ["captcha_images_v2"]
    options.planted = options.planted or PLANTED
    return options


if __name__ == "__main__":
    main()
