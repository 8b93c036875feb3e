"""Soak test: constant requests while jobs train and versions change on the same machine.

    python -m benchmarks.soak [--minutes 20] [--rate 20] [--json FILE]

Starts the trainer, its worker and the predictor in a temporary folder. Successive jobs train both
presets in turn on a small drawn set, and each new version is served at once. The requests are
mixed: forms and JSON, one image and several, small and large, and some that are no images.
"""

import argparse
import asyncio
import io
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from PIL import Image

from benchmarks.errors import BenchmarkError
from benchmarks.predict import show, write
from benchmarks.record import PartRecord
from benchmarks.serving.client import ask_at_rate, json_message, message
from benchmarks.serving.open_loop import centiles
from benchmarks.serving.services import (
    START_TIMEOUT,
    Service,
    Worker,
    free_port,
    predictor,
    running,
)
from benchmarks.serving.setting import Figures
from benchmarks.serving.watch import Watch
from benchmarks.table import Row
from predictor.models.loading import load_version
from shared.errors import ReadsmithError
from shared.store.builtin import STARTER, builtin_store
from shared.store.store import ModelStore

MODEL = "soak"
SET = {"images": 200, "characters": "AHX", "min_length": 1, "max_length": 2, "width": 80}
SINGLE, SEVERAL, NO_IMAGE = "single", "several", "no image"
LARGE = (2000, 1000)
"""Pixels of the large image."""
CERTAIN = 20
"""Answers in a row, on connections of their own, after which all processes serve a version."""
EPOCHS = {"conv": 10, "crnn": 60}
"""By preset; without a starter, a crnn predicts empty texts for its first 20 epochs, and a run that
predicts nothing else fails."""
MAX_BYTES_A_MINUTE = 1e6
MAX_FILES_MORE = 2


@dataclass(frozen=True)
class Running:
    """The running services, and their store."""

    store: ModelStore
    trainer: str
    """Address of the trainer's API."""
    port: int
    """Where the predictor listens."""
    processes: dict[str, Worker]


def main() -> None:
    """Run, print the table, and exit with 1 if a target was missed."""
    options = _options()
    record = PartRecord.begin(shlex.join(["python", *sys.orig_argv[1:]]))
    try:
        with (
            tempfile.TemporaryDirectory(prefix="readsmith-") as folder,
            _services(Path(folder)) as it,
        ):
            figures = asyncio.run(soak(it, options.minutes, options.rate))
    except (ReadsmithError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    record.rows += rows(figures)
    if options.json:
        write(options.json, record, {"soak": figures})
    show(record, "Soak")
    sys.exit(any(row.reached is False for row in record.rows))


async def soak(it: Running, minutes: float, rate: float) -> Figures:
    """Send requests at a rate beside jobs, once the first job's version is served."""
    await asyncio.to_thread(_train, it.trainer, 0)
    image = (it.store.folder(MODEL, 1) / "golden" / "0001.png").read_bytes()
    await _until_served(it.port, message(image))
    kinds = _requests(image)
    watch, jobs = Watch(it.processes), 0

    async def train_on() -> None:
        nonlocal jobs
        while True:
            await asyncio.to_thread(_train, it.trainer, jobs + 1)
            jobs += 1

    beside = [asyncio.create_task(each) for each in (train_on(), watch.take_samples())]
    answers = await ask_at_rate(it.port, *kinds.values(), rate=rate, seconds=60 * minutes)
    for task in beside:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    by_kind = {kind: answers[at :: len(kinds)] for at, kind in enumerate(kinds)}
    expected = {kind: 400 if kind == NO_IMAGE else 200 for kind in kinds}
    failed = {
        kind: sum(each.status != expected[kind] for each in of_kind)
        for kind, of_kind in by_kind.items()
    }
    bodies = [
        json.loads(each.body)
        for kind in (SINGLE, SEVERAL)
        for each in by_kind[kind]
        if each.status == 200
    ]
    return {
        "minutes": minutes,
        "rate": rate,
        "requests": len(answers),
        "failed": sum(failed.values()),
        "failed_by_kind": failed,
        **centiles(answers),
        "jobs": jobs,
        "versions": len({_origin(body) for body in bodies if body["model"] == MODEL}),
        "wrong_version": _wrong(bodies, it.store, image),
        "processes": {name: watch.growth(name) for name in it.processes},
    }


def _requests(image: bytes) -> dict[str, bytes]:
    """Return the requests that are sent in turn, by their kind; image: a small PNG."""
    large = io.BytesIO()
    with Image.open(io.BytesIO(image)) as small:
        small.resize(LARGE).save(large, "PNG")
    return {
        SINGLE: message(image),
        SEVERAL: json_message(image, 5),
        "large": message(large.getvalue()),
        NO_IMAGE: message(b"no image at all"),
    }


def _train(trainer: str, seed: int) -> None:
    """Post a job and wait for its end; raises BenchmarkError if it does not succeed."""
    preset, epochs = list(EPOCHS.items())[seed % len(EPOCHS)]
    body = {
        "dataset": {"synthetic": {**SET, "seed": seed}},
        "model": MODEL,
        "seed": seed,
        "preset": preset,
        "promote": "always",
        "hyperparameters": {"epochs": epochs},
    }
    answer = requests.post(f"{trainer}/jobs", json=body, timeout=START_TIMEOUT)
    answer.raise_for_status()
    while True:
        job = requests.get(f"{trainer}/jobs/{answer.json()['id']}", timeout=START_TIMEOUT).json()
        if job["status"] == "succeeded":
            return
        if job["status"] not in ("queued", "running"):
            raise BenchmarkError(
                "job_failed", f"A job has ended as {job['status']}: {job['error']}"
            )
        time.sleep(1)


async def _until_served(port: int, request: bytes) -> None:
    """Wait until every process serves version 1: one that does not yet answers with the starter."""
    deadline, in_a_row = time.monotonic() + START_TIMEOUT, 0
    while in_a_row < CERTAIN:
        [answer] = await ask_at_rate(port, request, rate=10, seconds=0.1)
        served = answer.status == 200 and json.loads(answer.body)["model"] == MODEL
        in_a_row = in_a_row + 1 if served else 0
        if time.monotonic() > deadline:
            raise BenchmarkError("not_served", f"Version 1 is not served: {answer.body[:300]!r}.")


def _wrong(bodies: Sequence[dict[str, Any]], store: ModelStore, image: bytes) -> int:
    """Count the answers that differ from the prediction of the version that they name.

    bodies: of requests that carried the image, once or several times.
    """
    predictions = {}
    for model, version in {_origin(body) for body in bodies}:
        # A process that has not looked for version 1 yet answers with the starter.
        models = builtin_store() if model == STARTER else store
        [prediction] = load_version(models, model, version, threads=1).predict([image])
        predictions[model, version] = prediction
    return sum(
        each["text"] != predictions[_origin(body)].text
        or abs(each["confidence"] - predictions[_origin(body)].confidence) > 1e-4
        for body in bodies
        for each in body.get("results", [body])
    )


def _origin(body: dict[str, Any]) -> tuple[str, int]:
    """Return the model and the version that an answer names."""
    return body["model"], body["version"]


@contextmanager
def _services(folder: Path) -> Iterator[Running]:
    port, store = free_port(), ModelStore(folder / "models")
    store.root.mkdir()
    settings = {
        "READSMITH_STORE": str(store.root),
        "READSMITH_STATE": str(folder / "state"),
        "READSMITH_KEYS": str(folder / "keys.json"),
        "READSMITH_TRAINER_PORT": str(port),
        "READSMITH_RETAINED_VERSIONS": "10000",
    }
    keys = settings["READSMITH_KEYS"]
    with (
        running(["trainer"], port, settings) as api,
        running(["trainer.workers.worker"], port, settings) as worker,
        predictor(store.root, keys=keys, default_model=MODEL, predictor_workers=2) as serving,
    ):
        _wait_until_it_answers(api)
        _wait_until_it_answers(serving)
        named = {"trainer": api.process.pid, "worker": worker.process.pid}
        named["predictor"] = serving.process.pid
        processes = {name: Worker(pid) for name, pid in named.items()}
        for number, child in enumerate(serving.workers(), 1):
            processes[f"predictor, process {number}"] = child
        yield Running(store, f"http://127.0.0.1:{port}", serving.port, processes)


def _wait_until_it_answers(service: Service) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        with suppress(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{service.port}/healthz", timeout=START_TIMEOUT)
            return
        if service.process.poll() is not None or time.monotonic() > deadline:
            raise BenchmarkError("server_failed", f"{service.process.args!r} does not answer.")
        time.sleep(0.1)


def rows(figures: Figures) -> Iterator[Row]:
    """Return the results beside their targets."""
    wrong = figures["failed"], figures["wrong_version"]
    yield Row(
        what=f"{figures['requests']:,} requests in {figures['minutes']:.0f} min beside "
        f"{figures['jobs']} jobs, {figures['versions']} versions: failed, wrong-version answers",
        reference="",
        ours="{}, {}".format(*wrong),
        ratio="",
        target="0, 0",
        reached=not any(wrong) and figures["versions"] > 1,
    )
    yield Row(
        what="latency beside training: p50, p99, longest",
        reference="",
        ours="{p50_ms:.1f}, {p99_ms:.1f}, {longest_ms:.0f} ms".format(**figures),
        ratio="",
        target="",
        reached=None,
    )
    for name, growth in figures["processes"].items():
        a_minute, more = growth["resident_a_minute"], growth["files_more"]
        yield Row(
            what=f"{name}: memory and its growth, open files and their growth",
            reference="",
            ours=f"{growth['resident'] / 1e6:.0f} MB, {a_minute / 1e6:+.2f} MB/min; "
            f"{growth['files']} files, {more:+.0f}",
            ratio="",
            target=f"< {MAX_BYTES_A_MINUTE / 1e6:.0f} MB/min, ≤ {MAX_FILES_MORE:+} files",
            reached=a_minute < MAX_BYTES_A_MINUTE and more <= MAX_FILES_MORE,
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=20.0, help="requests per second")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
