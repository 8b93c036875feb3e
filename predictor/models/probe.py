"""Loads a bundle in a process of its own: a hostile graph hangs or kills the process that runs it.

`python -m predictor.models.probe` is that process. It reads an ProbeOrder from its standard input and
answers on its standard output.
"""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from predictor.models import engine
from predictor.models.loading import load_bundle
from shared.child_process import die_with_parent, explain_exit, limit_this_process
from shared.errors import BundleError, BundlePart, first_line
from shared.store.manifest import ONNX_MODEL, Manifest

CPU_SECONDS = 10
"""Of each thread. CPU time, not time: on a busy machine no good version must be rejected.

A usual one takes 0.5 s.
"""
SECONDS = 120
"""Reading its files may take so long."""
MEMORY = 1_000_000_000
"""In bytes, besides GRAPH_FACTOR times the size of the graph; a usual version takes 100 MB."""
GRAPH_FACTOR = 4

OOM_SCORE = Path("/proc/self/oom_score_adj")


class ProbeDiedError(BundleError):
    """The process that loaded a version reached a limit or crashed."""


class ProbeOrder(BaseModel):
    """What the process loads, and its limits."""

    parent: int
    folder: Path
    manifest: Manifest
    threads: int
    memory: int
    cpu_seconds: int


class ProbeOutcome(BaseModel):
    """Why the version must not be served, and where it is wrong; empty if it may be."""

    message: str = ""
    part: BundlePart | None = None


def probe(folder: Path, manifest: Manifest, *, threads: int) -> None:
    """Load a verified bundle and predict its golden images, in a process with limits.

    Raises BundleError if it cannot be loaded, ProbeDiedError if the process reached a limit or
    crashed.
    """
    order = ProbeOrder(
        parent=os.getpid(),
        folder=folder.absolute(),
        manifest=manifest,
        threads=threads,
        memory=MEMORY + GRAPH_FACTOR * manifest.files[ONNX_MODEL].size,
        cpu_seconds=CPU_SECONDS * threads,
    )
    done = subprocess.run(
        [sys.executable, "-m", "predictor.models.probe"],
        input=order.model_dump_json().encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what a library says as it dies is not a line of our log
        check=False,
    )
    if done.returncode < 0:
        raise ProbeDiedError(
            f"The process that loaded {ONNX_MODEL} {explain_exit(done.returncode)}. "
            f"It may use {order.cpu_seconds} s of CPU time and {order.memory:,} bytes of memory.",
            "graph",
        )
    if done.returncode > 0:  # Python itself failed: nothing is known of the version
        raise RuntimeError(f"the process that loads versions {explain_exit(done.returncode)}")
    outcome = ProbeOutcome.model_validate_json(done.stdout)
    if outcome.part is not None:
        raise BundleError(outcome.message, outcome.part)


def _try(order: ProbeOrder) -> ProbeOutcome:
    try:
        load_bundle(order.folder, order.manifest, threads=order.threads)
    except BundleError as error:
        return ProbeOutcome(message=error.message, part=error.part)
    except Exception as error:  # memory that is not there, mostly
        return ProbeOutcome(
            message=f"{ONNX_MODEL} cannot be run: {first_line(error)}", part="graph"
        )
    return ProbeOutcome()


def main() -> None:
    """Load what the order says and answer how it went."""
    order = ProbeOrder.model_validate_json(sys.stdin.buffer.read())
    die_with_parent(order.parent)
    with suppress(OSError):  # where the kernel chooses whom to kill, it is to be this process
        OOM_SCORE.write_text("1000")
    engine.RUN_SECONDS = 2.0 * SECONDS  # here, the limits below decide
    limit_this_process(order.memory, SECONDS, order.cpu_seconds)
    sys.stdout.write(_try(order).model_dump_json())
    sys.stdout.flush()
    os._exit(0)  # a graph's threads could delay the end


if __name__ == "__main__":
    main()
