"""The driver of a Ray cluster: these functions run in a process of their own beside the worker.

Ray ends a driver that has lost its cluster for a minute, so the worker is none. What may wait for
the cluster for longer than is good ends this process, too; the worker then knows.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from trainer.schemas.job_request import Resources
from trainer.workers.ray.actors import create_actor, join
from trainer.workers.ray.job_actor import JobActor
from trainer.workers.ray.messages import AttemptState, Machine

CONNECT_SECONDS = 60
ANSWER_SECONDS = 15


@dataclass
class _Remote:
    resources: Resources
    runner: Any
    """The actor's handle; of its answers, machine and code, references."""
    machine: Any
    code: Any


_attempts: dict[str, _Remote] = {}


def connect(address: str) -> list[Machine]:
    """Become a driver of the cluster; return its machines. Raises what Ray raises.

    From now on this process prints nothing: Ray would, of each machine that it loses.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (1, 2):
        os.dup2(nowhere, output)
    with _within(CONNECT_SECONDS):
        join(address)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Ray has set its own
        return _machines()


def start(name: str, order: dict[str, Any], child: Sequence[str], resources: Resources) -> None:
    """Ask the cluster to place an attempt and to run it; `name` is how it is called from now on."""
    runner = create_actor(JobActor, resources)
    machine, code = runner.machine.remote(), runner.run.remote(order, child)
    _attempts[name] = _Remote(resources, runner, machine, code)


def poll(name: str) -> AttemptState:
    """Return how an attempt stands."""
    attempt, machine = _attempts.get(name), None
    if attempt is None:  # of another process, before the cluster was away
        return AttemptState(lost="the cluster was away", never_ran=True)
    with _within(ANSWER_SECONDS):
        try:
            if not _is_there(attempt.machine):
                return AttemptState(waiting=_why_waiting(attempt.resources))
            machine = ray.get(attempt.machine)
            return AttemptState(
                machine, code=ray.get(attempt.code) if _is_there(attempt.code) else None
            )
        except RayError as error:
            died = isinstance(error, RayActorError) and not error.actor_init_failed
            return AttemptState(machine, lost=_reason(error), never_ran=died and machine is None)


def count_waiting() -> int:
    """Return how many attempts wait for room on a machine that has enough in all."""
    with _within(ANSWER_SECONDS):
        without = [each for each in _attempts.values() if not _is_there(each.machine)]
        has = _machines() if without else []
        return sum(not _lacking(each.resources, has) for each in without)


def stop(name: str) -> None:
    """Ask an attempt to end its child."""
    if name in _attempts:
        with _within(ANSWER_SECONDS):
            _attempts[name].runner.stop.remote()


def has_ended(name: str) -> bool:
    """Return whether an attempt has ended, in whatever way, or has no place to end on."""
    with _within(ANSWER_SECONDS):
        attempt = _attempts.get(name)
        return attempt is None or _is_there(attempt.code) or not _is_there(attempt.machine)


def kill(name: str) -> None:
    """End an attempt's actor, wherever it stands; the child ends with it."""
    if name in _attempts:
        with _within(ANSWER_SECONDS):
            ray.kill(_attempts.pop(name).runner)


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    """Have the kernel end this process if that takes longer: no exception leaves Ray's own code."""
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _is_there(answer: Any) -> bool:
    done, _ = ray.wait([answer], timeout=0)
    return bool(done)


def _machines() -> list[Machine]:
    return [
        Machine(
            node["NodeManagerHostname"],
            node["Resources"].get("CPU", 0.0),
            node["Resources"].get("GPU", 0.0),
            int(node["Resources"].get("memory", 0)),
        )
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"]
    ]


def _lacking(wanted: Resources, has: Sequence[Machine]) -> str:
    """Say what no machine has, "" if one has all that is wanted."""
    memory = wanted.memory_bytes or 0
    enough = {
        f"{wanted.cpus:g} CPUs": [machine.cpus >= wanted.cpus for machine in has],
        f"{wanted.gpus:g} GPUs": [machine.gpus >= wanted.gpus for machine in has],
        f"{memory / 1e9:.3g} GB of memory": [machine.memory_bytes >= memory for machine in has],
    }
    if any(map(all, zip(*enough.values(), strict=True))):
        return ""
    lacking = [what for what, machines in enough.items() if not any(machines)]
    return " or ".join(lacking) or f"{', '.join(enough)} together"


def _why_waiting(wanted: Resources) -> str:
    if lacking := _lacking(wanted, _machines()):
        return f"No machine of the cluster has {lacking}; waiting for one."
    return "Waiting until a machine of the cluster has room."


def _reason(error: RayError) -> str:
    """Return the one clause of Ray's long messages that says why."""
    if isinstance(error, RayTaskError):
        return f"{type(error.cause).__name__}: {error.cause}".partition("\n")[0]
    first, *rest = str(error).splitlines()
    why = next((line for line in rest if line.startswith("The actor")), first)
    return why.partition(". ")[0].rstrip(".")
