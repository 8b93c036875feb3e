"""The child process of a job that sleeps for the time in its metadata instead of training."""

import sys
import time

from benchmarks.errors import BenchmarkError
from shared.api.jobs import Stage
from trainer.schemas.job import Claim
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import RunResult
from trainer.settings import Settings
from trainer.workers.job_process import JobObserver, execute

ENDED = "stub"
"""Its error code. Ending as failed is one write, as success is, and needs no version."""


def stub_training(
    claim: Claim, request: JobRequest, settings: Settings, observer: JobObserver
) -> RunResult:
    """Check for cancellation ten times a second, as training does."""
    observer.stage(Stage.TRAIN)
    end = time.monotonic() + float(request.metadata["seconds"])
    while (left := end - time.monotonic()) > 0:
        observer.checkpoint()
        time.sleep(min(0.1, left))
    raise BenchmarkError(ENDED, "This was no training.")


if __name__ == "__main__":
    execute(sys.stdin.read(), stub_training)
