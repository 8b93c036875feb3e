"""The training benchmark: our recipe and the seed recipe in turn, ours beside the reference.

    python -m benchmarks.train [--part NAME ...] [--seeds N] [--quick] [--json FILE]

Every run has its own process. READSMITH_TEST_DATA names the folder of the real sets.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement, Run
from benchmarks.parts import PARTS, MissingDataError, Setting
from benchmarks.record import ROOT, PartRecord, Record
from benchmarks.table import Row, rows
from shared.errors import ReadsmithError

COLUMNS = ("what", "reference", "ours", "ratio", "to reach", "reached")


def main() -> None:
    """Measure the parts in turn, and print the whole record."""
    options = _options()
    data = os.environ.get("READSMITH_TEST_DATA")
    try:
        record = Record.load(options.json) if options.json else Record()
        with tempfile.TemporaryDirectory(prefix="readsmith-") as scratch:
            setting = Setting(
                Path(data).resolve() if data else None, Path(scratch), options.seeds, options.quick
            )
            for part in options.part or PARTS:
                try:
                    measure_part(part, setting, record, options.json)
                except MissingDataError as missing:
                    _say(f"{part}: skipped, {missing}.")
    except ReadsmithError as error:
        sys.exit(f"error: {error.message} {error.hint}")
    except OSError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    show(record)


def measure_part(part: str, setting: Setting, record: Record, file: Path | None) -> None:
    """Measure a part's runs; each is saved to the record and its file at once.

    Raises MissingDataError before it changes the record, BenchmarkError if a run fails.
    """
    found: PartRecord | None = None
    for measurement in PARTS[part](setting):
        if found is None:
            found = record.parts[part] = PartRecord.begin(
                shlex.join(["python", *sys.orig_argv[1:]])
            )
        run = run_in_child(measurement)
        _say(f"{part}: {describe(run)}")
        found.runs.append(run)
        found.rows = rows(part, found.runs)
        if file is not None:
            record.save(file)


def run_in_child(measurement: Measurement) -> Run:
    """Measure in a new process; raises BenchmarkError with the end of its stderr."""
    # Peak memory and compiled functions of one run must not carry over to the next.
    command = [sys.executable, "-m", "benchmarks.measure", measurement.model_dump_json()]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if child.returncode != 0:
        said = "\n".join(child.stderr.splitlines()[-5:])
        raise BenchmarkError("measurement_failed", f"{measurement} failed:\n{said}")
    return Run.model_validate_json(child.stdout)


def describe(run: Run) -> str:
    """Describe a run in one line."""
    did = run.measurement
    limit = f", {did.limit_images} labels" if did.limit_images else ""
    reached = f"99 % after {run.seconds_to_99:.0f} s" if run.seconds_to_99 else "99 % not reached"
    return (
        f"{did.side}, {did.set}{limit}, seed {did.seed}: {run.epochs} epochs in "
        f"{run.train_seconds:.0f} s, {reached}, best on validation "
        f"{100 * run.validation_exact_match:.1f} % of {run.validation_images}, "
        f"test {run.exact} of {run.test_images}, peak {run.peak_bytes / 1e9:.2f} GB"
        + (f" ({run.failure})" if run.failure else "")
    )


def show(record: Record) -> None:
    """Print the table, and the machines that its parts were measured on."""
    table = Table(*COLUMNS, title="Training benchmark")
    for part in record.parts.values():
        for row in part.rows:
            table.add_row(*_cells(row))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for name, part in record.parts.items():
        machine = part.machine
        console.print(
            f"{name}: {part.date}, commit {part.commit}, {machine.cores} cores of {machine.cpu}, "
            f"{machine.memory_bytes / 1e9:.0f} GB, load {machine.load:.1f} at the start",
            highlight=False,
        )


def _cells(row: Row) -> tuple[str, ...]:
    reached = "" if row.reached is None else "yes" if row.reached else "no"
    return row.what, row.reference, row.ours, row.ratio, row.target, reached


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="measure this part only; repeatable"
    )
    parser.add_argument("--seeds", type=_at_least_one, help="seeds of every part: 0, 1, ...")
    parser.add_argument(
        "--quick", action="store_true", help="tiny sets and two epochs, to test that it runs"
    )
    parser.add_argument(
        "--json", type=Path, help="write everything to this file; parts not run now stay in it"
    )
    return parser.parse_args()


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


if __name__ == "__main__":
    main()
