"""gunicorn's configuration; imports nothing that must be loaded after the fork only."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from predictor.server.arbiter import open_port
from predictor.server.patches import replace_internals
from predictor.settings import PredictorSettings
from predictor.telemetry.json_logs import logging_to_stderr

WORKER_BYTES = 256 * 1024 * 1024
"""Memory that a worker may need while every thread decodes a large image."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


def configuration(settings: PredictorSettings) -> dict[str, Any]:
    """Return gunicorn's settings.

    Creates the folder where the workers combine their metrics and names it in the environment,
    which prometheus_client reads when a worker imports it.
    """
    # Shared memory: the workers write metrics and heartbeats there, and a disk could block them.
    scratch = str(SHARED_MEMORY) if os.access(SHARED_MEMORY, os.W_OK) else None
    metrics_folder = tempfile.mkdtemp(prefix="readsmith-metrics-", dir=scratch)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_folder
    return {
        "worker_class": "gthread",
        "workers": settings.predictor_workers or default_workers(),
        "threads": settings.predictor_threads,
        "worker_tmp_dir": scratch,
        "preload_app": False,  # ONNX Runtime's threads do not survive a fork
        "control_socket_disable": True,  # it wants a writable home folder
        "timeout": 120,  # the first load happens before a worker's first heartbeat
        "graceful_timeout": 30,
        # Longer than proxies keep idle connections (nginx: 60 s), or one might be closed here just
        # when the proxy sends a request on it.
        "keepalive": 75,
        "logconfig_dict": logging_to_stderr(settings.log_level),
        "post_worker_init": _init_worker,
        "child_exit": _remove_metrics,
        "on_exit": lambda server: shutil.rmtree(metrics_folder, ignore_errors=True),
    }


def default_workers() -> int:
    """Return one worker per available core, fewer if the memory limit requires it."""
    limits = [len(os.sched_getaffinity(0))]
    match _limit(CPU_QUOTA):
        case [quota, period]:
            limits.append(quota // period)
    match _limit(MEMORY_LIMIT):
        case [memory]:
            limits.append(memory // WORKER_BYTES)
    return max(1, min(limits))


def _limit(path: Path) -> list[int]:
    """Read the numbers of a cgroup file; [] without a limit."""
    try:
        return [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):  # absent, or "max"
        return []


def _init_worker(worker: object) -> None:
    """Patch gunicorn and accept requests: the models are loaded by now."""
    replace_internals()
    open_port(worker)


def _remove_metrics(_server: object, worker: Any) -> None:
    """Delete a dead worker's gauges, so that no version that it served is still shown."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - after the folder is named

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
