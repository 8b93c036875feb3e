"""The serving benchmark: prints our figures beside the reference and the targets.

    python -m benchmarks.predict [--part NAME ...] [--quick] [--json FILE]

Starts every server on this machine's cores, where the client runs too. Needs wrk.
READSMITH_TEST_DATA names the folder of the real sets, from which the image comes.
"""

import argparse
import json
import os
import shlex
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.record import PartRecord
from benchmarks.serving import (
    batch,
    changes,
    model_time,
    open_loop,
    process,
    request_profile,
    speed,
)
from benchmarks.serving.bundles import Bundle, other_text, publish
from benchmarks.serving.image import choose_image
from benchmarks.serving.setting import Figures, Part, Setting
from benchmarks.train import COLUMNS
from shared.errors import ReadsmithError
from trainer.subprocesses import in_clean_process

PARTS = {
    "speed": Part(speed.measure, speed.rows),
    "model": Part(model_time.measure, model_time.rows),
    "rate": Part(open_loop.measure, open_loop.rows),
    "batch": Part(batch.measure, batch.rows),
    "memory": Part(process.measure_memory, process.memory_rows),
    "start": Part(process.measure_start, process.start_rows),
    "changes": Part(changes.measure, changes.rows),
    "profile": Part(request_profile.measure, request_profile.rows),
}
LIBRARIES = ("flask", "gunicorn", "onnxruntime", "werkzeug")


def main() -> None:
    """Measure the parts in turn, and print the table."""
    options = _options()
    chosen = options.part or list(PARTS)
    record = PartRecord.begin(shlex.join(["python", *sys.orig_argv[1:]]))
    record.versions |= {library: version(library) for library in LIBRARIES}
    figures: dict[str, Figures] = {}
    try:
        if "speed" in chosen:
            speed.require_wrk()
        with tempfile.TemporaryDirectory(prefix="readsmith-") as scratch:
            setting = prepare(Path(scratch), quick=options.quick)
            for name in chosen:
                _say(f"{name} ...")
                figures[name] = PARTS[name].measure(setting)
                record.rows += PARTS[name].rows(figures[name])
                if options.json:
                    write(options.json, record, figures)
    except ReadsmithError as error:
        sys.exit(f"error: {error.message} {error.hint}")
    except OSError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    show(record)


def prepare(scratch: Path, *, quick: bool) -> Setting:
    """Choose the image and publish models that predict its text; TensorFlow stays in a child."""
    data = os.environ.get("READSMITH_TEST_DATA")
    image, text, origin = choose_image(Path(data) if data else None)
    _say(f"The image is {origin}: {len(image):,} bytes.")
    other = other_text(text)
    conv, conv_large, crnn = (scratch / name for name in ("conv", "conv-large", "crnn"))
    in_clean_process(publish, Bundle("conv", image, (text, other)), conv)
    in_clean_process(publish, Bundle("conv-large", image, (text,)), conv_large)
    in_clean_process(publish, Bundle("crnn", image, (text,)), crnn)
    return Setting(image, text, other, conv, conv_large, crnn, scratch, quick)


def write(file: Path, record: PartRecord, figures: dict[str, Figures]) -> None:
    """Write the rows, the machine and versions they depend on, and their figures."""
    content = record.model_dump(mode="json", exclude={"runs"}) | {"figures": figures}
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def show(record: PartRecord, title: str = "Serving benchmark") -> None:
    """Print the table, and the machine it was measured on."""
    table = Table(*COLUMNS, title=title)
    for row in record.rows:
        reached = "" if row.reached is None else "yes" if row.reached else "no"
        table.add_row(row.what, row.reference, row.ours, row.ratio, row.target, reached)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    machine = record.machine
    console.print(
        f"{record.date}, commit {record.commit}, {machine.cores} cores of {machine.cpu}, "
        f"{machine.memory_bytes / 1e9:.0f} GB, load {machine.load:.1f} at the start",
        highlight=False,
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="measure this part only; repeatable"
    )
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes, to test that it runs"
    )
    parser.add_argument("--json", type=Path, help="write everything to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
