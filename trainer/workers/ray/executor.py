"""Runs attempts on the machines of a Ray cluster."""

import itertools
import logging
import time
from collections.abc import Sequence

from shared.api.jobs import JobError
from shared.errors import FailedError
from trainer.schemas.job import Claim
from trainer.schemas.job_request import JobRequest, Resources
from trainer.settings import Settings
from trainer.subprocesses import GRACE_SECONDS
from trainer.workers.child import RUN_JOB
from trainer.workers.executors import ExecutorUnavailableError, RecordEvent, child_died
from trainer.workers.ray import driver
from trainer.workers.ray.connection import RayConnection
from trainer.workers.ray.messages import AttemptState

PLACEMENT_SECONDS = 10.0
"""An attempt that waits longer for a machine records the reason as an event."""
MAX_WAITING = 2
"""Attempts that may wait for resources on Ray: in the queue the others have an order and can be
claimed by any worker, while an autoscaler needs to see some demand."""
NO_RESOURCES = Resources.model_construct(cpus=0, gpus=0, memory_bytes=None)
STOP_GRACE_SECONDS = GRACE_SECONDS + 2
"""Grace period in which a machine may end an attempt; after it Ray kills the actor."""

ONE_MACHINE = (
    "The job database is a file on this machine, which no other machine of the cluster can reach."
)

log = logging.getLogger("trainer.ray")


class RayExecutor:
    """Runs several attempts at a time, each with the resources that its job requests."""

    polling_interval = 0.5

    def __init__(self, settings: Settings, child: Sequence[str] = RUN_JOB) -> None:
        if settings.jobs_database.startswith("sqlite"):
            log.warning(ONE_MACHINE)
        self.capacity = settings.jobs_in_flight
        self._settings = settings.for_other_machines.model_dump(mode="json")
        self._child = child
        self._connection = RayConnection(settings.ray_address)
        self._names = itertools.count()

    @property
    def problem(self) -> str | None:
        """Why the cluster is unreachable; None if it is connected."""
        return self._connection.problem

    def ready(self) -> bool:
        """Return whether the cluster is connected and fewer than MAX_WAITING attempts wait."""
        try:
            return (
                self._connection.ready()
                and self._connection.call(driver.count_waiting) < MAX_WAITING
            )
        except ExecutorUnavailableError:
            return False

    def start(self, claim: Claim, request: JobRequest, record_event: RecordEvent) -> "RayAttempt":
        """Request a machine from Ray; the job's events say when there is one."""
        name = str(next(self._names))
        order = {"claim": claim, "settings": self._settings}
        # Each trial of a search requests the job's resources. If the search itself held them,
        # too, its trials could wait for a machine that it occupies.
        resources = request.resources if request.search is None else NO_RESOURCES
        self._connection.call(driver.start, name, order, self._child, resources)
        return RayAttempt(self._connection, name, record_event)

    def close(self) -> None:
        """Leave the cluster."""
        self._connection.close()


class RayAttempt:
    """An attempt that runs on a machine of the cluster, or waits for one."""

    def __init__(self, connection: RayConnection, name: str, record_event: RecordEvent) -> None:
        self._connection = connection
        self._name = name
        self._record_event = record_event
        self._recorded = ""
        self._started = time.monotonic()
        self._stopped = False

    def end(self) -> JobError | None:
        """Poll Ray; raises ExecutorUnavailableError also if Ray lost the attempt before it ran."""
        state = self._connection.call(driver.poll, self._name)
        if state.never_ran:
            raise ExecutorUnavailableError(f"Ray lost the attempt before it ran: {state.lost}.")
        if state.lost:
            return _machine_lost(state)
        if state.machine:
            self._record_once("placed", f"Runs on machine {state.machine}.")
        elif state.waiting and time.monotonic() - self._started > PLACEMENT_SECONDS:
            self._record_once("waiting", state.waiting)
        return (
            None if state.code is None else child_died(state.code, f" on machine {state.machine}")
        )

    def stop(self) -> None:
        """Have the machine end the attempt; after the grace period Ray kills it."""
        if self._stopped:
            return
        self._stopped = True
        try:
            call, deadline = self._connection.call, time.monotonic() + STOP_GRACE_SECONDS
            call(driver.stop, self._name)
            while not call(driver.has_ended, self._name) and time.monotonic() < deadline:
                time.sleep(0.1)
            call(driver.kill, self._name)
        except ExecutorUnavailableError:
            # Actors end with their driver; one on a machine that is cut off runs on, but its
            # attempt is stale and cannot publish.
            pass

    def _record_once(self, kind: str, message: str) -> None:
        if message != self._recorded:
            self._record_event(kind, message)
            self._recorded = message


def _machine_lost(state: AttemptState) -> JobError:
    where = f"machine {state.machine}" if state.machine else "one of its machines"
    return JobError.of(
        FailedError(
            "machine_lost",
            f"Ray lost the attempt on {where}: {state.lost}.",
            "Check that the machine runs and has memory left; Ray's logs are on it.",
        )
    )
