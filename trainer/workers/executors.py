"""Where attempts of jobs run: the interface that the worker uses, and the local executor."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

from shared.api.jobs import JobError
from shared.child_process import explain_exit
from shared.errors import FailedError, SetupError
from trainer.schemas.job import Claim
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings
from trainer.subprocesses import GRACE_SECONDS, stop_group
from trainer.workers.child import RUN_JOB, start_child

RecordEvent = Callable[[str, str], None]
"""Records an event of the job: its type and its message."""


class ExecutorUnavailableError(Exception):
    """The executor lost an attempt, or cannot be reached, through no fault of the job; says why.

    The job is queued again without counting an attempt.
    """


class Attempt(Protocol):
    """A running attempt of a job; both methods raise ExecutorUnavailableError."""

    def end(self) -> JobError | None:
        """Return why it ended, None while it runs; an end that it recorded itself prevails."""

    def stop(self) -> None:
        """Kill all its processes, also after its end; returns when they are gone."""


class Executor(Protocol):
    """Runs attempts, on this machine or on others."""

    capacity: int
    """Most attempts that it runs at a time."""
    polling_interval: float
    """Seconds between two polls of an attempt."""

    @property
    def problem(self) -> str | None:
        """Why it cannot start attempts; None if it can."""

    def ready(self) -> bool:
        """Return whether another attempt can be started now; the worker asks every second."""

    def start(self, claim: Claim, request: JobRequest, record_event: RecordEvent) -> Attempt:
        """Start the process of an attempt, or request its start.

        Raises OSError or ExecutorUnavailableError.
        """

    def close(self) -> None:
        """Release everything; no attempt runs any more."""


class LocalExecutor:
    """Runs one attempt at a time as a child process of the worker, on the whole machine."""

    capacity = 1
    polling_interval = 0.25
    problem = None

    def __init__(self, settings: Settings, child: Sequence[str] = RUN_JOB) -> None:
        self._settings = settings
        self._child = child

    def ready(self) -> bool:
        """Return True: the worker asks only while no attempt runs."""
        return True

    def start(self, claim: Claim, request: JobRequest, record_event: RecordEvent) -> "LocalAttempt":
        """Start the child."""
        order = {"claim": claim, "settings": self._settings.model_dump(mode="json")}
        return LocalAttempt(order, self._child)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


class LocalAttempt:
    """A child process."""

    def __init__(self, order: Mapping[str, Any], child: Sequence[str]) -> None:
        self._child = start_child(order, child)

    def end(self) -> JobError | None:
        """Poll its exit code."""
        code = self._child.poll()
        return None if code is None else child_died(code)

    def stop(self) -> None:
        """Kill its session."""
        stop_group(self._child, GRACE_SECONDS)


def child_died(code: int, where: str = "") -> JobError:
    """Explain the end of a child that recorded none itself; where: " on machine …"."""
    return JobError.of(
        FailedError(
            "child_died",
            f"The training process{where} {explain_exit(code)}.",
            "Lower batch_size or the image size, or give the trainer more memory; "
            "the trainer's log may say more.",
        )
    )


def require_ray() -> None:
    """Raise ReadsmithError package_missing if Ray is not installed."""
    if find_spec("ray") is None:
        raise SetupError(
            "package_missing",
            "READSMITH_EXECUTOR=ray needs the package ray.",
            "pip install 'readsmith[ray]'",
        )
