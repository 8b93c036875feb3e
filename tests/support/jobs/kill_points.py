"""A worker's child that is struck at named points.

It is `python -m tests.support.jobs.kill_points small|real`.

The job's metadata say where and how: {"strikes": "checkpoint kills child, manifest kills worker"}.
They fall in this order, at most one in each attempt; each that fell is noted in a file.
"""

import itertools
import os
import pkgutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from trainer.schemas.job import Claim
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import RunResult
from trainer.settings import Settings
from trainer.workers.job_process import JobObserver, Run, execute, run_pipeline


@dataclass(frozen=True)
class Point:
    """The n-th call of a function, of those whose arguments fit."""

    target: str
    call: int = 1
    fits: Callable[..., bool] = lambda *args, **kwargs: True


def _flush(part: str, call: int = 1) -> Point:
    """A file whose path holds this is written aside, not yet renamed."""
    return Point("os.fsync", call, lambda fd: part in str(Path(f"/proc/self/fd/{fd}").readlink()))


POINTS = {
    "start": Point("trainer.workers.job_process.JobObserver.stage"),
    "download": Point("captcha.image.ImageCaptcha.generate_image", call=20),
    "dataset": Point("trainer.pipeline.datasets.clean.open_image", call=30),
    "epoch": Point("trainer.pipeline.training.fitting.to_batch", call=5),
    "checkpoint": _flush("checkpoint.npz", call=2),
    "trial": Point("trainer.pipeline.search.trials.TrialTable.epoch", call=5),
    "evaluate": Point("trainer.pipeline.evaluation.evaluate.fit_temperature"),
    "h5": Point("h5py.Group.create_dataset", call=5),
    "onnx": Point("trainer.pipeline.networks.keras_files.write_onnx"),
    "rereading": Point("trainer.pipeline.run.make_manifest"),
    "files": _flush("/versions/", call=3),
    "manifest": _flush("manifest.json"),
    "record": _flush(".model.json.", call=2),
    "published": Point("trainer.pipeline.run.report_outcome"),
    "commit": Point(
        "trainer.database.rows.record", fits=lambda *args: args[4].get("status") == "succeeded"
    ),
}
"""Where a strike can fall, in the order in which a run comes there; at "commit" the row that says
succeeded is written and not yet committed."""


def kills_child() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kills_worker() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)  # the kernel ends it with its parent


def stops_both() -> None:
    os.kill(os.getppid(), signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)


def terminates_worker() -> None:
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(600)


def hangs() -> None:
    time.sleep(600)


BLOWS: dict[str, Callable[[], None]] = {
    "kills child": kills_child,
    "kills worker": kills_worker,
    "stops both": stops_both,
    "terminates worker": terminates_worker,
    "hangs": hangs,
    "hangs and terminates worker": terminates_worker,
}


def fallen(settings: Settings, job_id: str) -> list[tuple[str, int]]:
    """Return the strikes that fell on a job, each with the child's process id."""
    file = _notes(settings, job_id)
    lines = file.read_text().splitlines() if file.exists() else []
    return [(strike, int(pid)) for strike, pid in (line.split("\t") for line in lines)]


def _notes(settings: Settings, job_id: str) -> Path:
    return settings.state / f"{job_id}.strikes"


def _arm(strike: str, notes: Path) -> None:
    """Have a strike fall in this process when it comes to the point."""
    name, _, how = strike.partition(" ")
    point = POINTS[name]
    original = pkgutil.resolve_name(point.target)
    calls = itertools.count(1)
    if how.startswith("hangs"):  # and does not listen
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def struck(*args: Any, **kwargs: Any) -> Any:
        if point.fits(*args, **kwargs) and next(calls) == point.call:
            with notes.open("a") as file:
                file.write(f"{strike}\t{os.getpid()}\n")
            BLOWS[how]()
        return original(*args, **kwargs)

    mock.patch(point.target, struck).start()


def struck(run: Run) -> Run:
    """Return the run, with the next strike of the job's metadata armed."""

    def armed(
        claim: Claim, request: JobRequest, settings: Settings, observer: JobObserver
    ) -> RunResult:
        todo = request.metadata.get("strikes", "").split(", ")[
            len(fallen(settings, claim.job_id)) :
        ]
        if any(todo):
            _arm(todo[0], _notes(settings, claim.job_id))
        return run(claim, request, settings, observer)

    return armed


if __name__ == "__main__":
    from tests.support.jobs.small_run import small_run

    execute(sys.stdin.read(), struck({"small": small_run, "real": run_pipeline}[sys.argv[1]]))
