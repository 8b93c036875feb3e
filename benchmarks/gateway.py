"""Cost of the gateway: CPU time of nginx and of a predictor for each request, under wrk.

    python -m benchmarks.gateway [--seconds 10] [--json FILE]

Needs nginx and wrk.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.record import Machine
from benchmarks.serving.client import upload
from benchmarks.serving.image import choose_image
from benchmarks.serving.speed import CONNECTIONS, SCRIPT, require_wrk
from tests.support.services import services

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Load:
    """The load that wrk made, and its cost."""

    requests: int
    failed: int
    nginx_ms: float
    predictor_ms: float
    """CPU time of all processes for each request, user and system."""


def measure(seconds: int) -> dict[str, Load]:
    """Load a predictor with one worker through the gateway, and without it."""
    data = os.environ.get("READSMITH_TEST_DATA")
    image, _, _ = choose_image(Path(data) if data else None)
    body, kind = upload(image)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        file = folder / "upload"
        file.write_bytes(body)
        predictor = stack.enter_context(services.predictor(folder / "predictor"))
        before = services.gateway(folder / "nginx", predictor, predictor)
        gateway = stack.enter_context(before)
        pids = (predictor.process.pid, _nginx(folder / "nginx" / "pid"))
        return {
            "through the gateway": _load(gateway.predictor, file, kind, seconds, pids),
            "without it": _load(predictor.port, file, kind, seconds, pids),
        }


def _nginx(pid_file: Path) -> int:
    return int(pid_file.read_text())


def _load(port: int, file: Path, kind: str, seconds: int, pids: tuple[int, int]) -> Load:
    wrk = shutil.which("wrk")
    assert wrk is not None
    command = [wrk, "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-s", str(SCRIPT)]
    url = f"http://127.0.0.1:{port}/predict"
    predictor, nginx = (_cpu_seconds(pid) for pid in pids)
    done = subprocess.run(
        [*command, url, "--", str(file), kind], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    per_request = 1000 / max(found["requests"], 1)
    return Load(
        requests=found["requests"],
        failed=found["failed"],
        nginx_ms=round((_cpu_seconds(pids[1]) - nginx) * per_request, 3),
        predictor_ms=round((_cpu_seconds(pids[0]) - predictor) * per_request, 3),
    )


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its children so far."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / TICKS + sum(_cpu_seconds(int(each)) for each in children)


def main() -> None:
    """Measure both ways, and print a row for each."""
    parser = argparse.ArgumentParser(prog="gateway", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    require_wrk()
    machine = Machine.this()
    found = measure(options.seconds)
    table = Table("way", "requests", "failed", "nginx, ms of a core", "predictor, ms of a core")
    for way, load in found.items():
        table.add_row(way, *(f"{figure:,}" for figure in astuple(load)))
    Console().print(table)
    if options.json:
        loads = {way: asdict(load) for way, load in found.items()}
        content = {"machine": machine.model_dump(), "found": loads}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
