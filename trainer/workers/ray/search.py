"""Trains the trials of a search on a Ray cluster, several at a time."""

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
from trainer.workers.ray.trial_actor import RemoteTrial, max_concurrent

POLL_SECONDS = 0.5
"""Pause between two polls of the running trials."""

Running = tuple[TrialRecord, RemoteTrial]


def train_at_once(trials: Trials, settings: Settings) -> None:
    """Train the trials of a search on the machines of a cluster, each with the job's resources.

    settings: Settings.for_other_machines. Writes the checkpoints of finished trials to the job's
    scratch folder; a trial whose node is lost resumes on another.
    """
    join(settings.ray_address)  # this process already runs on a node of that cluster
    table = trials.table
    table.at_once = min(table.search.trials, max_concurrent(table.request.resources))
    for_nodes = settings.model_dump(mode="json")
    running: list[Running] = []
    try:
        while True:
            while len(running) < table.at_once and (record := table.begin()) is not None:
                running.append((record, _start(trials, record, for_nodes)))
            if not running:
                return
            trials.observer.checkpoint()
            if trials.observer.finishing():
                for _, remote in running:
                    remote.finish()
            running = [left for one in running for left in _poll(trials, one, for_nodes)]
            trials.clear()
            time.sleep(POLL_SECONDS)
    finally:
        for _, remote in running:
            remote.end()


def _start(trials: Trials, record: TrialRecord, settings: dict[str, Any]) -> RemoteTrial:
    request = trials.table.request_of(record)
    fingerprint = trials.plain.fingerprint
    order = TrialOrder(settings, trials.context.job_id, folder_of(record), request, fingerprint)
    return RemoteTrial(order, request.resources)


def _poll(trials: Trials, one: Running, settings: dict[str, Any]) -> list[Running]:
    """Record a trial's new epochs and its end; return it, or its next start, if it still runs."""
    record, remote = one
    epochs, outcome = remote.poll()
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
            _record_outcome(trials, record, outcome)
    remote.end()
    return []


def _record_outcome(trials: Trials, record: TrialRecord, outcome: Outcome) -> None:
    """Record how a trial ended; write its checkpoint where the search resumes the best trial."""
    if outcome.checkpoint is None:
        trials.table.fail(record, outcome.failure or "It ended without a reason.")
        return
    folder = trials.context.inputs.work / folder_of(record)
    folder.mkdir(exist_ok=True)
    write_atomically(folder / FILE, outcome.checkpoint)
    trials.table.finish(record)
