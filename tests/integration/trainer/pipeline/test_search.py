"""A job that trains with several settings: its trials, what it publishes, cuts in between."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from shared.api.jobs import Stage, Status
from shared.errors import ReadsmithError
from shared.store.manifest import KERAS_MODEL, Manifest
from shared.store.store import ModelStore
from tests.support.jobs.killed_jobs import (
    epochs_told,
    events,
    require_one_version,
    until_over,
    workers,
)
from tests.support.jobs.observer import Recorder
from tests.support.jobs.runs import context
from tests.support.labelled_images import labelled_zip, texts
from trainer.database.job_store import JobStore
from trainer.database.tables import Database
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.run import run
from trainer.pipeline.search.search import search
from trainer.pipeline.training.train import train
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import CancelledRunError, RunResult
from trainer.schemas.trial import TrialList, TrialRecord
from trainer.settings import Settings

EPOCHS = 8
GOOD, HOPELESS, AS_HOPELESS = 0.004, 1.0, 1e-9
"""Learning rates; with the last two nothing is learned."""


def request(values: dict[str, Any], **search: Any) -> JobRequest:
    return JobRequest.model_validate(
        {
            "model": "quick",
            "hyperparameters": {"epochs": EPOCHS, "batch_size": 8, "height": 32},
            "search": {"parameters": values, **search},
        }
    )


RATES = {"learning_rate": {"choices": [GOOD, HOPELESS, AS_HOPELESS]}}
WIDE = {"width": {"choices": [64]}}


@dataclass
class Searched:
    """A search that went well."""

    folder: Path
    dataset: Path
    recorder: Recorder
    trials: list[TrialRecord]
    result: RunResult

    @property
    def manifest(self) -> Manifest:
        return ModelStore(self.folder / "models").manifest("quick", self.result.version)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """Three trials, of which the first fails, the second is good and the third is stopped."""
    folder = tmp_path_factory.mktemp("search")
    dataset = labelled_zip(folder / "set.zip", texts(120))
    recorder, log = Recorder(), TrialList()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.pipeline.search.study.PRUNER_STARTUP_TRIALS", 1)
        where = replace(context(folder, dataset), trials=log)
        result = run(request(RATES | WIDE, trials=10), where, recorder)
    return Searched(folder, dataset, recorder, log.trials(), result)


def test_each_trial_has_its_end_and_the_search_ends_where_all_has_been_tried(
    searched: Searched,
) -> None:
    ends = {record.parameters["learning_rate"]: record.status for record in searched.trials}
    assert ends == {HOPELESS: "failed", GOOD: "finished", AS_HOPELESS: "stopped"}
    failed, finished, stopped = searched.trials
    assert failed.error is not None and "did not learn" in failed.error
    assert (failed.epochs, finished.epochs) == (EPOCHS, EPOCHS)
    assert 1 < stopped.epochs < EPOCHS
    assert finished.exact_match is not None and finished.exact_match > 0.5
    assert searched.recorder.stages == list(Stage)


def test_the_best_is_published_as_if_it_alone_had_been_trained(
    searched: Searched, tmp_path: Path
) -> None:
    plain = request(RATES | WIDE).model_dump(exclude={"search"})
    plain["hyperparameters"] |= {"learning_rate": GOOD, "width": 64}
    alone = JobRequest.model_validate(plain)
    trained = train(load_dataset(searched.dataset, alone), alone, Recorder(), tmp_path)
    file = searched.folder / "models" / "quick" / "versions" / "1" / KERAS_MODEL
    published = keras.models.load_model(file, compile=False)
    for weights, same in zip(published.get_weights(), trained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, same)
    assert searched.manifest.parameters == asdict(trained.parameters)
    assert searched.manifest.image.width == 64


def test_the_settings_told_last_are_those_of_the_best(searched: Searched) -> None:
    last = [message for kind, message in searched.recorder.events if kind == "settings"][-1]
    assert f"learning_rate {GOOD} (best value of the search)" in last
    assert [summary["image"]["width"] for summary in searched.recorder.summaries][-1] == 64


def test_nothing_is_left_of_the_other_trials(searched: Searched) -> None:
    assert [path.name for path in (searched.folder / "work").glob("trial-*")] == ["trial-2"]


def test_a_later_attempt_takes_the_best_up_without_training(searched: Searched) -> None:
    log, recorder = TrialList(), Recorder()
    for record in searched.trials:
        log.trial(record)
    asked = request(RATES | WIDE, trials=3).of_preset("conv")  # as run() settles it

    def load(wanted: JobRequest) -> Dataset:
        return load_dataset(searched.dataset, wanted)

    where = replace(context(searched.folder, searched.dataset), trials=log, attempt=2)
    found = search(asked, load(asked), load, None, recorder, where)
    assert recorder.epochs == []
    assert searched.manifest.metrics is not None
    assert round(found.trained.seconds, 3) == searched.manifest.metrics.train_seconds
    assert log.trials() == searched.trials


def test_a_width_at_which_labels_have_no_room_is_a_failed_trial(tmp_path: Path) -> None:
    dataset = labelled_zip(tmp_path / "set.zip", ["AXAXAXA", *texts(40)])
    log = TrialList()
    widths = request({"width": {"choices": [16, 20]}})
    with pytest.raises(ReadsmithError) as caught:
        run(widths, replace(context(tmp_path, dataset), trials=log), Recorder())
    assert caught.value.code == "search_failed"
    assert "None of the 2 trials learned" in caught.value.message
    assert all(record.error and "labels do not fit" in record.error for record in log.trials())
    assert ModelStore(tmp_path / "models").models() == []


def test_a_search_is_cancelled_in_mid_trial(searched: Searched, tmp_path: Path) -> None:
    log, recorder = TrialList(), Recorder(cancel_after=5)
    where = replace(context(tmp_path, searched.dataset), trials=log)
    with pytest.raises(CancelledRunError):
        run(request(RATES), where, recorder)
    assert [record.status for record in log.trials()] == ["running"]
    assert ModelStore(tmp_path / "models").models() == []


def test_a_search_that_should_finish_ends_its_trial_and_publishes_the_best(
    searched: Searched, tmp_path: Path
) -> None:
    steps = EPOCHS * 12  # of one whole trial
    log, recorder = TrialList(), Recorder(finish_after=steps + 40)
    where = replace(context(tmp_path, searched.dataset), trials=log)
    rates = {"learning_rate": {"choices": [GOOD, GOOD / 2, GOOD / 4]}}
    result = run(request(rates | WIDE), where, recorder)
    first, second = log.trials()
    assert (first.status, first.epochs) == ("finished", EPOCHS)
    assert (second.status, second.epochs) == ("finished", 5)
    assert ModelStore(tmp_path / "models").versions("quick") == [result.version]


def test_a_search_killed_in_its_second_trial_repeats_nothing_that_was_done(
    tmp_path: Path,
) -> None:
    settings = Settings(store=tmp_path / "models", state=tmp_path / "state", lease_seconds=5)
    database = Database(settings.jobs_database)
    store = JobStore(database, max_queued_jobs=1)
    body = {
        "dataset": {"synthetic": {"images": 60, "width": 64, "max_length": 1, "min_length": 1}},
        "hyperparameters": {"epochs": 3, "width": 64},
        "search": {"parameters": {"batch_size": {"choices": [8, 16]}}, "trials": 2},
        "metadata": {"strikes": "trial kills child"},
    }
    job_id = store.create(JobRequest.model_validate(body)).id
    with workers(settings, "real") as running:
        until_over(store, [job_id], settings, "real", running)
    job = store.get(job_id)
    assert job.status is Status.SUCCEEDED, job.error
    assert job.attempt == 2
    assert epochs_told(store, job_id) == [1, 2, 3, 1, 2, 3]
    told = [event.data for event in events(store, job_id) if event.type == "trial"]
    assert [(one["number"], one["status"]) for one in told] == [
        (1, "running"),
        (1, "finished"),
        (2, "running"),
        (2, "running"),
        (2, "finished"),
    ]
    assert job.trials is not None
    assert [(trial.status, trial.epochs) for trial in job.trials] == [("finished", 3)] * 2
    require_one_version(settings, job)
    database.close()
