"""A search whose trials are trained on a Ray cluster, several at a time."""

import time
from typing import Any

from shared.atomic_files import write_atomically
from trainer.pipeline.search.trial import Trials, folder_of
from trainer.pipeline.search.trials import StoppedTrialError
from trainer.pipeline.training.checkpoint import FILE
from trainer.schemas.trial import TrialRecord
from trainer.settings import Settings
from trainer.workers.ray.actors import join
from trainer.workers.ray.messages import Outcome, TrialOrder
from trainer.workers.ray.trial_actor import RemoteTrial, room

LOOK_SECONDS = 0.5

Running = tuple[TrialRecord, RemoteTrial]


def train_at_once(trials: Trials, settings: Settings) -> None:
    """Train the trials of a search on the machines of a cluster, each with the job's resources.

    settings: those for the cluster's other machines. The checkpoints of those that finish come
    back; a trial whose node is lost goes on elsewhere.
    """
    join(settings.ray_address)  # of which this machine is a node
    table = trials.table
    table.at_once = min(trials.searched.trials, room(trials.request.resources))
    for_nodes = settings.model_dump(mode="json")
    running: list[Running] = []
    try:
        while True:
            while len(running) < table.at_once and (record := table.begin()) is not None:
                running.append((record, _start(trials, record, for_nodes)))
            if not running:
                return
            trials.observer.checkpoint()
            running = [again for one in running for again in _look(trials, one, for_nodes)]
            trials.clear()
            time.sleep(LOOK_SECONDS)
    finally:
        for _, remote in running:
            remote.end()


def _start(trials: Trials, record: TrialRecord, settings: dict[str, Any]) -> RemoteTrial:
    request = trials.table.request_of(record)
    fingerprint = trials.images.plain.fingerprint
    order = TrialOrder(settings, trials.context.job_id, folder_of(record), request, fingerprint)
    return RemoteTrial(order, request.resources)


def _look(trials: Trials, one: Running, settings: dict[str, Any]) -> list[Running]:
    """Take in what there is of a trial; return what runs of it from now on."""
    record, remote = one
    epochs, outcome = remote.look()
    try:
        for progress in epochs:
            trials.table.epoch(record, progress)
    except StoppedTrialError:
        trials.table.stop(record)
    else:
        if outcome is None:
            return [one]
        if outcome.lost and trials.table.restart(record):
            remote.end()
            return [(record, _start(trials, record, settings))]
        if not outcome.lost:
            _take(trials, record, outcome)
    remote.end()
    return []


def _take(trials: Trials, record: TrialRecord, outcome: Outcome) -> None:
    """Note how a trial ended, and keep its weights where the best is taken up."""
    if outcome.checkpoint is None:
        trials.table.fail(record, outcome.failure or "It ended without a reason.")
        return
    folder = trials.context.inputs.work / folder_of(record)
    folder.mkdir(exist_ok=True)
    write_atomically(folder / FILE, outcome.checkpoint)
    trials.table.finish(record)
