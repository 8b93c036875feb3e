"""The trials of a search on a Ray cluster: an actor for each, wherever there is room.

Imports Ray. What runs on a node imports TensorFlow there.
"""

import os
from typing import Any

from trainer.workers.ray.messages import Outcome, TrialOrder

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported

import ray
from ray.exceptions import RayError, RayTaskError

from shared.api.jobs import Progress
from trainer.schemas.job_request import Resources
from trainer.schemas.progress import Observer
from trainer.settings import Settings
from trainer.subprocesses import NICENESS
from trainer.workers.ray.actors import place
from trainer.workers.ray.job_actor import OF_A_MACHINE


class TrialActor:
    """The actor: it trains one trial in its own process, and ends with the job's process."""

    def __init__(self) -> None:
        os.nice(NICENESS)
        # Ray sets it to the CPUs asked for; TensorFlow would take all that the machine has.
        cpus = os.environ.get("OMP_NUM_THREADS", "1")
        os.environ |= {"TF_NUM_INTRAOP_THREADS": cpus, "TF_NUM_INTEROP_THREADS": cpus}
        self._observer = _Epochs()

    def run(self, order: TrialOrder) -> Outcome:
        """Train to the end, from the kept checkpoint on if there is one."""
        from trainer.workers.ray.trial_training import (  # noqa: PLC0415 - imports TensorFlow
            train_trial,
        )

        names = {name: os.environ.get(f"READSMITH_{name.upper()}") for name in OF_A_MACHINE}
        own = {name: value for name, value in names.items() if value}
        return Outcome(*train_trial(order, Settings(**order.settings | own), self._observer))

    def epochs(self, known: int) -> list[Progress]:
        """Return the epochs after the first so many."""
        return self._observer.told[known:]


class _Epochs(Observer):
    """Keeps the epochs of a trial; whoever wants to stop it ends the actor."""

    def __init__(self) -> None:
        self.told: list[Progress] = []

    def progress(self, progress: Progress) -> None:
        """Keep an epoch."""
        self.told.append(progress)


def room(resources: Resources) -> int:
    """Return how many trials the cluster's machines hold at a time, each at least one."""
    slots = 0
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        has = node["Resources"] if node["Alive"] else {}
        fits = has.get("CPU", 0) // resources.cpus
        slots += int(min(fits, has.get("GPU", 0) // resources.gpus) if resources.gpus else fits)
    return max(1, slots)


class RemoteTrial:
    """A trial that a node trains, or will once there is room; asking takes no time."""

    def __init__(self, order: TrialOrder, resources: Resources) -> None:
        runner = place(TrialActor, resources)
        self._runner = runner
        self._outcome = runner.run.remote(order)
        self._known = 0
        self._epochs = runner.epochs.remote(0)

    def look(self) -> tuple[list[Progress], Outcome | None]:
        """Return the epochs since the last look, and how the trial ended, None while it runs."""
        try:
            ended = _is_there(self._outcome)
            if ended:
                outcome: Outcome = ray.get(self._outcome)
                return ray.get(self._runner.epochs.remote(self._known)), outcome
            if not _is_there(self._epochs):
                return [], None
            new: list[Progress] = ray.get(self._epochs)
            self._known += len(new)
            self._epochs = self._runner.epochs.remote(self._known)
        except RayTaskError as error:  # a fault of ours; the node's log of the actor has it whole
            return [], Outcome(failure=f"{type(error.cause).__name__}: {error.cause}")
        except RayError:
            return [], Outcome(lost=True)
        return new, None

    def end(self) -> None:
        """End the actor, wherever it stands."""
        ray.kill(self._runner)


def _is_there(answer: Any) -> bool:
    done, _ = ray.wait([answer], timeout=0)
    return bool(done)
