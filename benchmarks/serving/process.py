"""One worker's memory, its growth over reloads, and the time of a start."""

import asyncio
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.serving.client import ask_one_by_one, message
from benchmarks.serving.services import Worker, predictor
from benchmarks.serving.setting import Figures, Setting
from benchmarks.table import Row, spread
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.store.store import ModelStore
from trainer.subprocesses import in_clean_process

MAX_WORKER_BYTES = 120e6
MAX_BYTES_A_RELOAD = 0.1e6
MAX_START_SECONDS = 1.5


def measure_memory(setting: Setting) -> Figures:
    """Measure a worker after many requests, and a registry over many reloads."""
    reloads = setting.number(1000, 20)
    store = shutil.copytree(setting.conv, setting.scratch / "reloads")
    sizes = in_clean_process(sizes_over_reloads, store, reloads)
    return {
        "requests": setting.number(1000, 100),
        "one_model": _worker_memory(setting, serve_starter=False),
        "with_the_starter": _worker_memory(setting, serve_starter=True),
        "reloads": reloads,
        "resident_after_reloads": sizes,
        # Without the first fifth, in which caches and allocators find their size.
        "bytes_a_reload": slope(sizes[reloads // 5 :]),
    }


def _worker_memory(setting: Setting, *, serve_starter: bool) -> dict[str, int]:
    with predictor(setting.conv, predictor_workers=1, serve_starter=serve_starter) as service:
        service.wait_until_it_predicts(setting.image, setting.text)
        request, requests = message(setting.image), setting.number(1000, 100)
        asyncio.run(ask_one_by_one(service.port, request, requests))
        [worker] = service.workers()
        resident, proportional = worker.memory()
    return {"resident": resident, "proportional": proportional}


def sizes_over_reloads(store: Path, reloads: int) -> list[int]:
    """Return this process's resident bytes after each reload of a registry; for a clean process.

    The registry is the predictor's; the store's two versions are promoted in turn.
    """
    published = ModelStore(store)
    registry = Registry(PredictorSettings(store=store, serve_starter=False))
    this, sizes = Worker(os.getpid()), []
    for index in range(reloads):
        version = 1 + index % 2
        published.promote("default", version)
        registry.poll()
        served = registry.served("default")
        if served is None or served.engine.manifest.version != version:
            raise BenchmarkError("not_reloaded", f"Version {version} was not loaded.")
        sizes.append(this.memory()[0])
    return sizes


def slope(values: Sequence[float]) -> float:
    """Return the growth from one value to the next, by least squares."""
    return float(np.polyfit(np.arange(len(values)), values, 1)[0])


def memory_rows(figures: Figures) -> Sequence[Row]:
    """Compare the resident size, which counts shared pages in full, with its target."""
    one, both, growth = figures["one_model"], figures["with_the_starter"], figures["bytes_a_reload"]
    what = f"memory of one worker after {figures['requests']:,} requests: resident (proportional)"
    return [
        Row(
            what=what,
            reference="",
            ours=_megabytes(one),
            ratio="",
            target=f"≤ {MAX_WORKER_BYTES / 1e6:.0f} MB",
            reached=one["resident"] <= MAX_WORKER_BYTES,
        ),
        Row(
            what="the same with the starter, as by default",
            reference="",
            ours=_megabytes(both),
            ratio="",
            target="",
            reached=None,
        ),
        Row(
            what=f"growth over {figures['reloads']:,} reloads, each (last 80 %)",
            reference="",
            ours=f"{growth / 1e6:.3f} MB",
            ratio="",
            target=f"≤ {MAX_BYTES_A_RELOAD / 1e6} MB",
            reached=growth <= MAX_BYTES_A_RELOAD,
        ),
    ]


def _megabytes(memory: dict[str, int]) -> str:
    return f"{memory['resident'] / 1e6:.0f} MB ({memory['proportional'] / 1e6:.0f} MB)"


def measure_start(setting: Setting) -> Figures:
    """Time several starts of the predictor with one worker; the first is not counted."""
    seconds = []
    for _ in range(1 + setting.number(5, 1)):
        begin = time.perf_counter()
        with predictor(setting.conv, predictor_workers=1) as service:
            service.wait_until_it_predicts(setting.image, setting.text)
            seconds.append(time.perf_counter() - begin)
    return {"seconds": seconds[1:]}


def start_rows(figures: Figures) -> Sequence[Row]:
    """Compare the median with its target."""
    return [
        Row(
            what="start of the predictor until its first correct answer",
            reference="",
            ours=spread(figures["seconds"], "{:.2f} s"),
            ratio="",
            target=f"≤ {MAX_START_SECONDS} s",
            reached=statistics.median(figures["seconds"]) <= MAX_START_SECONDS,
        )
    ]
