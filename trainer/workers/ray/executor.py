"""Runs attempts on the machines of a Ray cluster."""

import itertools
import logging
import time
from collections.abc import Sequence

from shared.errors import FailedError
from trainer.schemas.job import Claim, JobError
from trainer.schemas.job_request import JobRequest, Resources
from trainer.settings import Settings
from trainer.subprocesses import GRACE_SECONDS
from trainer.workers.child import RUN_JOB
from trainer.workers.executors import OutOfReachError, Tell, died
from trainer.workers.ray import questions
from trainer.workers.ray.connection import RayConnection, require_ray
from trainer.workers.ray.messages import View

PLACE_SECONDS = 10.0
"""An attempt that waits longer for its place says why."""
WAITING = 2
"""Attempts that may wait for room on Ray; the others wait in the queue."""
NOTHING = Resources.model_construct(cpus=0, gpus=0, memory_bytes=None)
STOP_GRACE_SECONDS = GRACE_SECONDS + 2
"""Seconds that a machine has to end an attempt; after that Ray is told to."""

ONE_MACHINE = (
    "The job database is a file of this machine: no other machine of the cluster reaches it."
)

log = logging.getLogger("trainer.ray")


class RayExecutor:
    """Keeps several attempts under way, each with the resources that its job asks for."""

    polling_interval = 0.5

    def __init__(self, settings: Settings, child: Sequence[str] = RUN_JOB) -> None:
        """Raise ReadsmithError package_missing without Ray."""
        require_ray()
        if settings.jobs_database.startswith("sqlite"):
            log.warning(ONE_MACHINE)
        self.at_once = settings.jobs_in_flight
        self._settings = settings.for_other_machines.model_dump(mode="json")
        self._child = child
        self._connection = RayConnection(settings.ray_address)
        self._names = itertools.count()

    @property
    def problem(self) -> str | None:
        """The cluster is away."""
        return self._connection.problem

    def ready(self) -> bool:
        """Whether the cluster is there and few attempts wait for room on it."""
        try:
            return self._connection.ready() and self._connection.ask(questions.waiting) < WAITING
        except OutOfReachError:
            return False

    def start(self, claim: Claim, request: JobRequest, tell: Tell) -> "RayAttempt":
        """Ask Ray for a place; the job's events say when it has one."""
        name = str(next(self._names))
        order = {"claim": claim, "settings": self._settings}
        # A search leaves what it asks for to its trials, else it might keep them from a place.
        wanted = request.resources if request.search is None else NOTHING
        self._connection.ask(questions.start, name, order, self._child, wanted)
        return RayAttempt(self._connection, name, tell)

    def close(self) -> None:
        """Leave the cluster."""
        self._connection.close()


class RayAttempt:
    """An attempt that a machine of the cluster runs, or will."""

    def __init__(self, connection: RayConnection, name: str, tell: Tell) -> None:
        self._connection = connection
        self._name = name
        self._tell = tell
        self._told = ""
        self._begun = time.monotonic()
        self._stopped = False

    def end(self) -> JobError | None:
        """Ask Ray; raises OutOfReachError also if it lost the attempt before it ran."""
        view = self._connection.ask(questions.look, self._name)
        if view.never_ran:
            raise OutOfReachError(f"Ray lost it before it ran: {view.lost}.")
        if view.lost:
            return _lost(view)
        if view.machine:
            self._tell_once("placed", f"Runs on machine {view.machine}.")
        elif view.waiting and time.monotonic() - self._begun > PLACE_SECONDS:
            self._tell_once("waiting", view.waiting)
        return None if view.code is None else died(view.code, f" on machine {view.machine}")

    def stop(self) -> None:
        """Have its machine end it, and if that takes long, Ray."""
        if self._stopped:
            return
        self._stopped = True
        try:
            ask, end = self._connection.ask, time.monotonic() + STOP_GRACE_SECONDS
            ask(questions.stop, self._name)
            while not ask(questions.is_over, self._name) and time.monotonic() < end:
                time.sleep(0.1)
            ask(questions.forget, self._name)
        except OutOfReachError:
            pass  # its children end with the driver, and may not publish in any case

    def _tell_once(self, kind: str, message: str) -> None:
        if message != self._told:
            self._tell(kind, message)
            self._told = message


def _lost(view: View) -> JobError:
    where = f"machine {view.machine}" if view.machine else "one of its machines"
    return JobError.of(
        FailedError(
            "machine_lost",
            f"Ray lost the attempt on {where}: {view.lost}.",
            "See whether the machine runs and has memory left; Ray's logs are on it.",
        )
    )
