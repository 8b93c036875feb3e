"""The driver of a Ray cluster: these functions run in a separate process beside the worker.

Ray ends a driver that has lost its cluster for a minute, so the worker itself is no driver. A call
that waits for the cluster for too long ends this process, too, which the worker notices.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from trainer.schemas.job_request import Resources
from trainer.workers.executors import ExecutorUnavailableError
from trainer.workers.ray.actors import create_actor, is_there, join, live_machines
from trainer.workers.ray.job_actor import JobActor
from trainer.workers.ray.messages import AttemptState, Machine

CONNECT_SECONDS = 60
ANSWER_SECONDS = 15
"""Timeouts; after them the kernel ends this process."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class _RemoteAttempt:
    resources: Resources
    actor: Any
    """The actor's handle."""
    machine: Any
    """Reference to the machine's name, which is there once the actor is placed."""
    code: Any
    """Reference to the child's exit code."""


_attempts: dict[str, _RemoteAttempt] = {}


def _translates_errors(function: Callable[P, T]) -> Callable[P, T]:
    """Raise ExecutorUnavailableError for any error: Ray's own may not survive the way back."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise ExecutorUnavailableError(str(error).partition("\n")[0]) from None

    return call


@_translates_errors
def connect(address: str) -> list[Machine]:
    """Become a driver of the cluster and return its machines.

    From then on this process prints nothing: Ray would, about each machine that it loses.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        os.dup2(nowhere, output)
    with _timeout(CONNECT_SECONDS):
        join(address)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # again: ray.init installs a handler
        return live_machines()


@_translates_errors
def start(name: str, order: dict[str, Any], child: Sequence[str], resources: Resources) -> None:
    """Request an attempt's placement and run; the other functions find it by its name."""
    actor = create_actor(JobActor, resources)
    machine, code = actor.machine.remote(), actor.run.remote(order, child)
    _attempts[name] = _RemoteAttempt(resources, actor, machine, code)


@_translates_errors
def poll(name: str) -> AttemptState:
    """Return the state of an attempt."""
    attempt, machine = _attempts.get(name), None
    if attempt is None:  # started by an earlier driver process, before the connection was lost
        return AttemptState(lost="the cluster was unreachable", never_ran=True)
    with _timeout(ANSWER_SECONDS):
        try:
            if not is_there(attempt.machine):
                return AttemptState(waiting=_why_waiting(attempt.resources))
            machine = ray.get(attempt.machine)
            return AttemptState(
                machine, code=ray.get(attempt.code) if is_there(attempt.code) else None
            )
        except RayError as error:
            # Ray schedules onto a dying node for some seconds: such a loss costs no attempt.
            died = isinstance(error, RayActorError) and not error.actor_init_failed
            return AttemptState(machine, lost=_reason(error), never_ran=died and machine is None)


@_translates_errors
def count_waiting() -> int:
    """Return how many attempts wait for resources that some machine has when it is idle.

    Those that no machine could ever run do not count: they would block all later jobs.
    """
    with _timeout(ANSWER_SECONDS):
        waiting = [each for each in _attempts.values() if not is_there(each.machine)]
        machines = live_machines() if waiting else []
        return sum(not _lacking(each.resources, machines) for each in waiting)


@_translates_errors
def stop(name: str) -> None:
    """Ask an attempt to end its child."""
    if name in _attempts:
        with _timeout(ANSWER_SECONDS):
            _attempts[name].actor.stop.remote()


@_translates_errors
def has_ended(name: str) -> bool:
    """Return whether an attempt has ended, in whatever way, or was never placed."""
    with _timeout(ANSWER_SECONDS):
        attempt = _attempts.get(name)
        return attempt is None or is_there(attempt.code) or not is_there(attempt.machine)


@_translates_errors
def kill(name: str) -> None:
    """Kill an attempt's actor in whatever state; the child dies with it."""
    if name in _attempts:
        with _timeout(ANSWER_SECONDS):
            ray.kill(_attempts.pop(name).actor)


@contextmanager
def _timeout(seconds: int) -> Iterator[None]:
    """Have the kernel end this process after that time: no exception can interrupt Ray's C++."""
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _lacking(requested: Resources, machines: Sequence[Machine]) -> str:
    """Name the resources that no machine has; "" if one machine has all that are requested."""
    memory = requested.memory_bytes or 0
    enough = {
        f"{requested.cpus:g} CPUs": [machine.cpus >= requested.cpus for machine in machines],
        f"{requested.gpus:g} GPUs": [machine.gpus >= requested.gpus for machine in machines],
        f"{memory / 1e9:.3g} GB of memory": [each.memory_bytes >= memory for each in machines],
    }
    if any(map(all, zip(*enough.values(), strict=True))):
        return ""
    lacking = [what for what, found in enough.items() if not any(found)]
    return " or ".join(lacking) or f"{', '.join(enough)} together"


def _why_waiting(requested: Resources) -> str:
    if lacking := _lacking(requested, live_machines()):
        return f"No machine of the cluster has {lacking}; waiting for one."
    return "Waiting until a machine of the cluster has room."


def _reason(error: RayError) -> str:
    """Return the clause that gives the reason: Ray's messages run over a dozen lines."""
    if isinstance(error, RayTaskError):
        return f"{type(error.cause).__name__}: {error.cause}".partition("\n")[0]
    first, *rest = str(error).splitlines()
    why = next((line for line in rest if line.startswith("The actor")), first)
    return why.partition(". ")[0].rstrip(".")
