"""gunicorn's configuration; imports nothing that must be loaded after the fork only."""

import os
import resource
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

from predictor.requests.memory import ARCHIVE_BYTES, SMALL_BYTES, request_bytes
from predictor.server.arbiter import open_port
from predictor.server.patches import CLOSING_CONNECTIONS, replace_internals
from predictor.server.worker import QuietWorker, ServerLog
from predictor.settings import PredictorSettings
from predictor.telemetry.json_logs import logging_to_stderr

IDLE_BYTES = 96_000_000
"""A worker with the starter, most of it shared with the others."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


MOST_CONNECTIONS = 1000
"""Of one worker, however many files it may open."""
OTHER_FILES = 64
"""That a worker may have open beside its connections: models, logs, databases."""


def make_metrics_folder() -> str:
    """Create the folder where the workers combine their metrics; the last of them deletes it.

    It is named in the environment, which prometheus_client reads when a worker imports it.
    """
    folder = tempfile.mkdtemp(prefix="readsmith-metrics-", dir=_scratch())
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    return folder


def configuration(settings: PredictorSettings, metrics_folder: str) -> dict[str, Any]:
    """Return gunicorn's settings; SIGHUP has it read them again.

    metrics_folder: deleted at the end.
    """
    return {
        "worker_class": QuietWorker,
        "logger_class": ServerLog,
        "workers": settings.predictor_workers or default_workers(settings),
        "threads": settings.predictor_threads,
        "worker_connections": worker_connections(settings.predictor_threads),
        "worker_tmp_dir": _scratch(),
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


def _scratch() -> str | None:
    # Shared memory: the workers write metrics and heartbeats there, and a disk could block them.
    return str(SHARED_MEMORY) if os.access(SHARED_MEMORY, os.W_OK) else None


def worker_connections(threads: int) -> int:
    """Return how many connections a worker accepts: one that runs out of files would end.

    threads: each opens one more file while it waits for a client.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(
        threads + 1, min(MOST_CONNECTIONS, files - OTHER_FILES - CLOSING_CONNECTIONS - threads)
    )


def worker_bytes(settings: PredictorSettings) -> int:
    """Return the memory that a worker takes at most, with the starter and small models."""
    archived = ARCHIVE_BYTES if settings.image_archive is not None else 0
    small = settings.predictor_threads * SMALL_BYTES
    return IDLE_BYTES + small + request_bytes(settings) + archived


def default_workers(settings: PredictorSettings) -> int:
    """Return one worker per available core, fewer if the memory limit requires it."""
    limits = [len(os.sched_getaffinity(0))]
    match _limit(CPU_QUOTA):
        case [quota, period]:
            limits.append(quota // period)
    match _limit(MEMORY_LIMIT):
        case [memory]:
            limits.append(memory // worker_bytes(settings))
    return max(1, min(limits))


def _limit(path: Path) -> list[int]:
    """Read the numbers of a cgroup file; [] without a limit."""
    try:
        return [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):  # absent, or "max"
        return []


def _init_worker(worker: object) -> None:
    """Patch gunicorn and accept requests: the models are loaded by now."""
    # A terminal that closes sends it to every process; only the main one knows what to do.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    replace_internals()
    open_port(worker)


def _remove_metrics(_server: object, worker: Any) -> None:
    """Delete a dead worker's gauges, so that no version that it served is still shown."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - after the folder is named

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
