"""Where attempts of jobs run: what the worker needs of it, and this machine as the first one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from shared.errors import FailedError
from trainer.schemas.job import Claim, JobError
from trainer.schemas.job_request import JobRequest
from trainer.settings import Settings
from trainer.subprocesses import GRACE_SECONDS, explain_exit, stop_group
from trainer.workers.child import RUN_JOB, start_child

Tell = Callable[[str, str], None]
"""Records an event of the job: its type and its message."""


class OutOfReachError(Exception):
    """The executor is gone with all its attempts, through no fault of theirs; says why."""


class Attempt(Protocol):
    """One attempt of a job under way; both methods raise OutOfReachError."""

    def end(self) -> JobError | None:
        """Return why it ended, None while it runs; what it recorded itself comes first."""

    def stop(self) -> None:
        """End it with all its processes, also one that has ended; returns when they are gone."""


class Executor(Protocol):
    """Runs attempts somewhere."""

    at_once: int
    """How many attempts it may have under way."""
    polling_interval: float
    """Pause between two looks at an attempt."""

    @property
    def problem(self) -> str | None:
        """What keeps it from starting anything."""

    def ready(self) -> bool:
        """Say whether another attempt can be started now; the worker asks every second."""

    def start(self, claim: Claim, request: JobRequest, tell: Tell) -> Attempt:
        """Start the process of an attempt, or ask for its start.

        Raises OSError or OutOfReachError.
        """

    def close(self) -> None:
        """Let go of everything; no attempt is under way any more."""


class LocalExecutor:
    """A child process of the worker; one at a time, with all that the machine has."""

    at_once = 1
    polling_interval = 0.25
    problem = None

    def __init__(self, settings: Settings, child: Sequence[str] = RUN_JOB) -> None:
        self._settings = settings
        self._child = child

    def ready(self) -> bool:
        """Whenever none is under way."""
        return True

    def start(self, claim: Claim, request: JobRequest, tell: Tell) -> "LocalAttempt":
        """Start the child."""
        order = {"claim": claim, "settings": self._settings.model_dump(mode="json")}
        return LocalAttempt(order, self._child)

    def close(self) -> None:
        """Nothing is held."""


class LocalAttempt:
    """A child process."""

    def __init__(self, order: Mapping[str, Any], child: Sequence[str]) -> None:
        self._child = start_child(order, child)

    def end(self) -> JobError | None:
        """Ask for its exit code."""
        code = self._child.poll()
        return None if code is None else died(code)

    def stop(self) -> None:
        """End its session."""
        stop_group(self._child, GRACE_SECONDS)


def died(code: int, where: str = "") -> JobError:
    """Explain the end of a child that recorded none; where: " on …"."""
    return JobError.of(
        FailedError(
            "child_died",
            f"The training process{where} {explain_exit(code)}.",
            "Lower batch_size or the image size, or give the trainer more memory; "
            "the trainer's log may tell more.",
        )
    )
