"""The training benchmark: our recipe and the seed recipe in turn, ours beside the reference.

    python -m benchmarks.train [--part NAME ...] [--seeds N] [--quick] [--json FILE]
        [--baseline CHECKOUT]

Every run has its own process. Runs of the same commit that the file holds are not repeated.
 READSMITH_TEST_DATA names the folder of the real sets.
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
                Path(data).resolve() if data else None,
                Path(scratch),
                options.seeds,
                baseline=options.baseline is not None,
                quick=options.quick,
            )
            for part in options.part or PARTS:
                try:
                    measure_part(part, setting, record, options.json, options.baseline)
                except MissingDataError as missing:
                    _say(f"{part}: skipped, {missing}.")
    except ReadsmithError as error:
        sys.exit(f"error: {error.message} {error.hint}")
    except OSError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    show(record)


def measure_part(
    part: str,
    setting: Setting,
    record: Record,
    file: Path | None,
    baseline: Path | None = None,
) -> None:
    """Measure a part's runs; each is saved to the record and its file at once.

    baseline: a checkout with its .venv, for the side "earlier".

    Raises MissingDataError before it changes the record, BenchmarkError if a run fails.
    """
    found: PartRecord | None = None
    done: dict[Measurement, Run] = {}
    for measurement in PARTS[part](setting):
        if found is None:
            begun = PartRecord.begin(shlex.join(["python", *sys.orig_argv[1:]]))
            if part in record.parts and record.parts[part].commit == begun.commit:
                done = {run.measurement: run for run in record.parts[part].runs}
            found = record.parts[part] = begun
        run = done.get(measurement) or run_in_child(measurement, baseline)
        _say(f"{part}: {describe(run)}")
        found.runs.append(run)
        found.rows = rows(part, found.runs)
        if file is not None:
            record.save(file)


def run_in_child(measurement: Measurement, baseline: Path | None = None) -> Run:
    """Measure in a new process; raises BenchmarkError with the end of its stderr."""
    # Peak memory and compiled functions of one run must not carry over to the next.
    python, root, asked = sys.executable, ROOT, measurement
    if measurement.side == "earlier" and baseline is not None:
        # There it is that checkout's own.
        python, root = str(baseline / ".venv" / "bin" / "python"), baseline
        asked = measurement.model_copy(update={"side": "ours"})
    command = [python, "-m", "benchmarks.measure", asked.model_dump_json()]
    child = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if child.returncode != 0:
        said = "\n".join(child.stderr.splitlines()[-5:])
        raise BenchmarkError("measurement_failed", f"{measurement} failed:\n{said}")
    found = Run.model_validate_json(child.stdout)
    return found.model_copy(update={"measurement": measurement})


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
            f"{machine.memory_bytes / 1e9:.0f} GB, {' '.join(machine.flags) or 'no AVX2'}, "
            f"load {machine.load:.1f} at the start",
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
        "--baseline",
        type=lambda folder: Path(folder).resolve(),
        help="another checkout, installed, to be measured in turn with this one (part sets)",
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
