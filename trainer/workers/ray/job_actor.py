"""What runs on a Ray node: an actor that starts the same child as a worker does on its machine.

Light, since the child brings its own: no database, no pipeline.
"""

import os
import platform
import subprocess
from collections.abc import Sequence
from typing import Any

import ray

from trainer.subprocesses import GRACE_SECONDS, stop_group
from trainer.workers.child import start_child

MACHINE_SETTINGS = ("state", "store_cache")
"""Settings: folders for what can be had again."""


class JobActor:
    """One attempt of a job; `run` takes as long as it does, the other methods come in between."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def machine(self) -> str:
        """Return the machine's name and address."""
        address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return f"{platform.node()} ({address})"

    def run(self, order: dict[str, Any], arguments: Sequence[str]) -> int:
        """Start the child, wait for its end, return its exit code; raises OSError.

        Settings that belong to a machine are those of this one, if it has any.
        """
        own = {name: os.environ.get(f"READSMITH_{name.upper()}") for name in MACHINE_SETTINGS}
        own["ray_address"] = ray.get_runtime_context().gcs_address
        settings = order["settings"] | {name: value for name, value in own.items() if value}
        order = {**order, "settings": settings}
        # Ray sets it to the CPUs asked for; TensorFlow would take all that the machine has.
        cpus = os.environ.get("OMP_NUM_THREADS", "1")
        threads = {"TF_NUM_INTRAOP_THREADS": cpus, "TF_NUM_INTEROP_THREADS": cpus}
        self._child = start_child(order, arguments, threads)
        if self._stopped:
            stop_group(self._child, 0)
        code = self._child.wait()
        stop_group(self._child, 0)  # what it left behind
        return code

    def stop(self) -> None:
        """End the child with all its processes."""
        self._stopped = True
        if self._child is not None:
            stop_group(self._child, GRACE_SECONDS)
