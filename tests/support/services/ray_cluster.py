"""A real Ray cluster on this machine: a head without processors, and nodes that can be killed."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

from tests.support.paths import ROOT
from tests.support.services.workers import wait_until

CPUS = 2
"""Of each node, whatever the machine has."""
SOON = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "gcs_resource_broadcast_max_batch_delay_ms": 0,
}
"""A node that is gone counts as dead within seconds."""


class RayCluster:
    """Its nodes have state folders of their own, as machines do."""

    def __init__(self, folder: Path, client_port: int, cpus: int) -> None:
        self._folder = folder
        self._cpus = cpus
        head = {
            "num_cpus": 0,
            "include_dashboard": False,
            "ray_client_server_port": client_port,
            "_system_config": SOON,
        }
        self._cluster = _insist(lambda: Cluster(initialize_head=True, head_node_args=head))
        self._nodes: dict[str, Any] = {}
        self.address: str = self._cluster.address
        self.client_address = f"ray://127.0.0.1:{client_port}"

    def add(self, name: str) -> None:
        """Start a node."""
        own = {"READSMITH_STATE": str(self.state(name))}
        self._nodes[name] = _insist(
            lambda: self._cluster.add_node(num_cpus=self._cpus, env_vars=own)
        )

    def state(self, name: str) -> Path:
        """Return a node's state folder."""
        return self._folder / name

    def runs(self, name: str, job_id: str) -> bool:
        """Tell whether a job has been at work on a node."""
        return (self.state(name) / "jobs" / job_id).is_dir()

    def kill(self, name: str) -> None:
        """Have a node die at once."""
        self._nodes[name].kill_raylet()

    def kill_head(self) -> None:
        """Have the head's control process die: the cluster is no more."""
        self._cluster.head_node.kill_gcs_server()

    def stop(self) -> None:
        """End everything."""
        self._cluster.shutdown()


@contextmanager
def running_ray(folder: Path, client_port: int, cpus: int = CPUS) -> Iterator[RayCluster]:
    """Start a cluster of two nodes, "one" and "two"; its files are its own, too."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="ray") as own:
        patch.setenv("RAY_TMPDIR", own)  # short: sockets lie in it
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(ROOT))
        cluster = RayCluster(folder, client_port, cpus)
        try:
            cluster.add("one")
            cluster.add("two")
            yield cluster
        finally:
            cluster.stop()


def _insist(start: Callable[[], Any]) -> Any:
    """Start something; Ray gives it 30 seconds, which a busy machine may need more than once."""
    for _ in range(3):
        with suppress(Exception):
            return start()
    return start()


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started, and that run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def kill_link(worker: int) -> None:
    """Kill the process that connects a worker to its cluster."""

    def links() -> list[int]:
        lines = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in children_of(worker)}
        return [pid for pid, line in lines.items() if "spawn_main" in line]

    wait_until(links)
    for pid in links():
        os.kill(pid, signal.SIGKILL)
