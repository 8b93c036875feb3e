"""One actor per trial of a search, placed on any node with the resources.

Importing this imports Ray; TensorFlow is imported in the actor, on the node.
"""

import os

import ray
from ray.exceptions import RayError, RayTaskError

from shared.api.jobs import Progress
from trainer.schemas.job_request import Resources
from trainer.schemas.progress import Observer
from trainer.settings import Settings
from trainer.subprocesses import NICENESS
from trainer.workers.ray.actors import create_actor, is_there, live_machines
from trainer.workers.ray.job_actor import machine_settings, thread_limits
from trainer.workers.ray.messages import Outcome, TrialOrder


class TrialActor:
    """Trains one trial in its own process; Ray ends it with the job's process, its driver."""

    def __init__(self) -> None:
        os.nice(NICENESS)
        os.environ |= thread_limits()
        self._observer = _Epochs()

    def run(self, order: TrialOrder) -> Outcome:
        """Train to the end, from the trial's checkpoint if there is one."""
        from trainer.workers.ray.trial_training import (  # noqa: PLC0415 - imports TensorFlow
            train_trial,
        )

        settings = Settings(**order.settings | machine_settings())
        return train_trial(order, settings, self._observer)

    def finish(self) -> None:
        """End the training soon, with what it has learned."""
        self._observer.finish()

    def epochs(self, known: int) -> list[Progress]:
        """Return the epochs after the first `known`."""
        return self._observer.epochs[known:]


class _Epochs(Observer):
    """Collects the epochs of a trial; it stops nothing, since the search kills the actor."""

    def __init__(self) -> None:
        self.epochs: list[Progress] = []
        self._finishing = False

    def finish(self) -> None:
        """Ask the training to finish."""
        self._finishing = True

    def finishing(self) -> bool:
        """Return whether it was asked to."""
        return self._finishing

    def progress(self, progress: Progress) -> None:
        """Append an epoch."""
        self.epochs.append(progress)


def max_concurrent(resources: Resources) -> int:
    """Return how many trials with these resources the cluster can run at a time, at least 1."""
    slots = 0
    for machine in live_machines():
        fits = machine.cpus // resources.cpus
        slots += int(min(fits, machine.gpus // resources.gpus) if resources.gpus else fits)
    return max(1, slots)


class RemoteTrial:
    """A trial that a node trains, or will once it has the resources; polling does not block."""

    def __init__(self, order: TrialOrder, resources: Resources) -> None:
        self._actor = create_actor(TrialActor, resources)
        self._outcome = self._actor.run.remote(order)
        self._known = 0
        self._epochs = self._actor.epochs.remote(0)

    def poll(self) -> tuple[list[Progress], Outcome | None]:
        """Return the epochs since the last poll, and how the trial ended, None while it runs."""
        try:
            ended = is_there(self._outcome)
            if ended:
                outcome: Outcome = ray.get(self._outcome)
                return ray.get(self._actor.epochs.remote(self._known)), outcome
            if not is_there(self._epochs):
                return [], None
            new: list[Progress] = ray.get(self._epochs)
            self._known += len(new)
            self._epochs = self._actor.epochs.remote(self._known)
        except RayTaskError as error:  # an error in our code; the actor's log has the traceback
            return [], Outcome(failure=f"{type(error.cause).__name__}: {error.cause}")
        except RayError:
            return [], Outcome(lost=True)
        return new, None

    def finish(self) -> None:
        """Ask the trial to end its training soon; does not wait, and may be repeated."""
        self._actor.finish.remote()

    def end(self) -> None:
        """Kill the actor in whatever state."""
        ray.kill(self._actor)
