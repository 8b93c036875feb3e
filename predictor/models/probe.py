"""Loads a bundle in a process of its own: a hostile graph hangs or kills the process that runs it.

`python -m predictor.models.probe` is that process. It reads a ProbeOrder from standard input and
writes a ProbeOutcome to standard output.
"""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from predictor.models.graphs import graph
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
"""In bytes, besides GRAPH_FACTOR times the size of the graphs; a usual version takes 100 MB."""
GRAPH_FACTOR = 4

OUT_OF_MEMORY = ("bad_alloc", "Failed to allocate memory")

OOM_SCORE = Path("/proc/self/oom_score_adj")


class ProbeDiedError(BundleError):
    """The process that loaded a version reached a limit or crashed: it must not happen for ever."""


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
    out_of_memory: bool = False


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
        memory=MEMORY + GRAPH_FACTOR * sum(manifest.files[name].size for name in manifest.graphs),
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
        kind = ProbeDiedError if outcome.out_of_memory else BundleError
        raise kind(outcome.message, outcome.part)


def _try(order: ProbeOrder) -> ProbeOutcome:
    try:
        load_bundle(order.folder, order.manifest, threads=order.threads)
    except BundleError as error:
        short = _is_out_of_memory(error.__cause__)
        return ProbeOutcome(message=error.message, part=error.part, out_of_memory=short)
    except Exception as error:
        message = f"{ONNX_MODEL} cannot be run: {first_line(error)}"
        short = _is_out_of_memory(error)
        return ProbeOutcome(message=message, part="graph", out_of_memory=short)
    return ProbeOutcome()


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Tell whether memory ran out, for which ONNX Runtime has no class of its own."""
    said = str(error)
    return isinstance(error, MemoryError) or any(words in said for words in OUT_OF_MEMORY)


def main() -> None:
    """Load what the order says and answer how it went."""
    order = ProbeOrder.model_validate_json(sys.stdin.buffer.read())
    die_with_parent(order.parent)
    with suppress(OSError):  # where the kernel chooses whom to kill, it is to be this process
        OOM_SCORE.write_text("1000")
    graph.RUN_SECONDS = 2.0 * SECONDS  # here, the limits below decide
    limit_this_process(order.memory, SECONDS, order.cpu_seconds)
    sys.stdout.write(_try(order).model_dump_json())
    sys.stdout.flush()
    os._exit(0)  # a graph's threads could delay the end


if __name__ == "__main__":
    main()
