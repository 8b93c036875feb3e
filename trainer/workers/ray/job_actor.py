"""The actor that runs on a Ray node and starts the same child as a local worker does.

Its imports stay light, without database and pipeline: the child process has its own.
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
"""Settings that belong to a machine: folders whose content can be fetched again."""


def machine_settings() -> dict[str, str]:
    """Return those of MACHINE_SETTINGS that this machine's environment has."""
    found = {name: os.environ.get(f"READSMITH_{name.upper()}") for name in MACHINE_SETTINGS}
    return {name: value for name, value in found.items() if value}


def thread_limits() -> dict[str, str]:
    """Return the environment that keeps TensorFlow to the CPUs of this actor.

    Ray sets OMP_NUM_THREADS to them; TensorFlow would use every core of the machine.
    """
    cpus = os.environ.get("OMP_NUM_THREADS", "1")
    return {"TF_NUM_INTRAOP_THREADS": cpus, "TF_NUM_INTEROP_THREADS": cpus}


class JobActor:
    """One attempt of a job; the other methods can be called while `run` runs (max_concurrency)."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def machine(self) -> str:
        """Return the machine's name and address."""
        address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return f"{platform.node()} ({address})"

    def run(self, order: dict[str, Any], arguments: Sequence[str]) -> int:
        """Start the child, wait for its end, return its exit code; raises OSError.

        MACHINE_SETTINGS in this machine's environment override those of the order.
        """
        own = {**machine_settings(), "ray_address": ray.get_runtime_context().gcs_address}
        order = {**order, "settings": order["settings"] | own}
        self._child = start_child(order, arguments, thread_limits())
        if self._stopped:  # stop() came before there was a child
            stop_group(self._child, 0)
        code = self._child.wait()
        stop_group(self._child, 0)  # its own children may have outlived it
        return code

    def stop(self) -> None:
        """End the child with all its processes."""
        self._stopped = True
        if self._child is not None:
            stop_group(self._child, GRACE_SECONDS)
