"""A search whose trials are trained on a Ray cluster, several at a time."""

import time
from typing import TYPE_CHECKING, Any

from shared.atomic_files import write_atomically
from trainer import ray_trials
from trainer.checkpoint import FILE
from trainer.dataset import Base
from trainer.progress import Observer
from trainer.ray_actors import join
from trainer.ray_trials import Outcome, RemoteTrial, TrialOrder
from trainer.requests import JobRequest
from trainer.search import Pictures, Trials, folder_of
from trainer.search_request import Search
from trainer.trial_table import StoppedTrialError, TrialTable
from trainer.trials import TrialRecord

if TYPE_CHECKING:
    from trainer.pipeline import RunContext

LOOK_SECONDS = 0.5

Running = tuple[TrialRecord, RemoteTrial]


def train_at_once(
    request: JobRequest,
    searched: Search,
    pictures: Pictures,
    base: Base | None,
    observer: Observer,
    context: "RunContext",
) -> Trials:
    """Train the trials of a search on the context's cluster, each with the job's resources.

    The checkpoints of those that finish come back; a trial whose node is lost goes on elsewhere.
    """
    assert context.cluster is not None  # noqa: S101 - says the type
    join(context.cluster.ray_address)  # of which this machine is a node
    at_once = min(searched.trials, ray_trials.room(request.resources))
    table = TrialTable(request, searched, observer, context.trials, at_once)
    trials = Trials(table, searched, pictures, base, observer, context)
    settings = context.cluster.model_dump(mode="json")
    running: list[Running] = []
    try:
        while True:
            while len(running) < at_once and (record := table.begin()) is not None:
                running.append((record, _start(trials, record, settings)))
            if not running:
                return trials
            observer.checkpoint()
            running = [again for one in running for again in _look(trials, one, settings)]
            trials.clear()
            time.sleep(LOOK_SECONDS)
    finally:
        for _, remote in running:
            remote.end()


def _start(trials: Trials, record: TrialRecord, settings: dict[str, Any]) -> RemoteTrial:
    request = trials.table.request_of(record)
    fingerprint = trials.pictures.plain.fingerprint
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
        if outcome.lost and trials.table.begin_again(record):
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
    folder = trials.context.work / folder_of(record)
    folder.mkdir(exist_ok=True)
    write_atomically(folder / FILE, outcome.checkpoint)
    trials.table.finish(record)
