"""`readsmith train`: from labelled images to a published version, without any service."""

import contextlib
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from readsmith.library_logs import without_library_logs
from readsmith.options import options
from readsmith.options import search as search_options
from readsmith.output import (
    err,
    interval,
    label,
    out,
    percent,
    print_json,
    print_table,
    say,
    unreadable_line,
)
from shared.errors import SetupError
from shared.store.location import is_object_storage

if TYPE_CHECKING:
    from readsmith.progress_display import TrainingDisplay
    from shared.store.manifest import Calibration
    from shared.store.store import ModelStore
    from trainer.schemas.job_request import JobRequest
    from trainer.schemas.progress import RunResult
    from trainer.schemas.trial import TrialList, TrialRecord

SHOWN = 3
"""So many wrong predictions are printed."""


def train(
    context: typer.Context,
    dataset: options.Dataset,
    model: options.Model = "default",
    store: options.Store = options.STORE,
    state: options.State = options.STATE,
    preset: options.Preset = None,
    labels: options.Labels = "auto",
    vocabulary: options.Vocabulary = "auto",
    fold_labels: options.FoldLabels = False,
    allowed: options.AllowedOfJob = None,
    seed: options.Seed = 0,
    epochs: options.Epochs = None,
    learning_rate: options.LearningRate = None,
    height: options.Height = None,
    base: options.Base = None,
    corrections: options.Corrections = False,
    max_minutes: options.MaxMinutes = None,
    limit_images: options.LimitImages = None,
    search: options.Search = None,
    trials: options.Trials = None,
    evaluation: options.Evaluation = "auto",
    self_training: options.SelfTraining = "auto",
    detector: options.Detector = "auto",
    promote: options.Promote = "auto",
    retained_versions: options.RetainedVersions = None,
    as_json: options.Json = False,
) -> None:
    """Train a model and publish it, without any service.

    Ctrl-C ends the training soon and publishes what it has learned; a second one stops at once.

    Example: readsmith train captchas.zip --model captcha --max-minutes 10
    """
    from readsmith.options.job_request import fields_of, job_request, local_path
    from readsmith.stores import open_store
    from readsmith.trials_table import print_trials
    from shared.store.manifest import REPORT
    from trainer.schemas.trial import TrialList

    searched, log = search_options.search(search, trials, max_minutes), TrialList()
    asked = fields_of(context.params) | {"search": searched}
    if searched:
        asked["max_minutes"] = None  # it is the search's
    request = job_request(dataset, labels, **asked)
    models = open_store(store, retained_versions)
    _require_writable(models, store)
    result = _run_aloud(request, local_path(dataset), models, state, log)
    bundle = models.folder(result.model, result.version)
    if as_json:
        print_json(_as_json(result, bundle / REPORT, log.trials()))
    else:
        if searched:
            print_trials(log.trials())
        _print(result, store)
        _print_report(result, bundle)


def _print_report(result: "RunResult", bundle: Path) -> None:
    from shared.store.manifest import REPORT

    _print_thresholds(result.calibration)
    say(out, f"Report: {bundle / REPORT}")
    _print_worst(bundle)


def _require_writable(models: "ModelStore", store: str) -> None:
    """Raise ReadsmithError if nothing could be published: better before than after training."""
    if not is_object_storage(store):
        Path(store).mkdir(parents=True, exist_ok=True)
    if (problem := models.problem()) is not None:
        raise SetupError(
            "store_unusable", f"Nothing can be published: {problem}.", f"See that {store} is right."
        )


def _run_aloud(
    request: "JobRequest", local: Path | None, store: "ModelStore", state: Path, log: "TrialList"
) -> "RunResult":
    try:
        # Libraries print; stdout is for the result.
        with without_library_logs(), contextlib.redirect_stdout(sys.stderr):
            return _run(request, local, store, state, log)
    except KeyboardInterrupt:
        say(err, "Stopped. Nothing is published, and the same command starts over. A job of")
        say(err, "the service (readsmith up) goes on from its last epoch when it is cut off.")
        raise


def _run(
    request: "JobRequest", local: Path | None, store: "ModelStore", state: Path, log: "TrialList"
) -> "RunResult":
    from readsmith.options.job_request import dataset_limits, download_rules, save_corrections
    from readsmith.progress_display import TrainingDisplay
    from trainer.files.shared_files import FolderFiles
    from trainer.pipeline.context import Inputs, RunContext
    from trainer.pipeline.run import run

    with tempfile.TemporaryDirectory(prefix="readsmith-") as work, TrainingDisplay(err) as display:
        inputs = Inputs(
            work=Path(work),
            cache=state / "cache",
            files=FolderFiles(state),
            store=store,
            limits=dataset_limits(),
            downloads=download_rules(),
            local=local,
            save_corrections=partial(save_corrections, state),
        )
        context = RunContext(
            job_id=f"job-{uuid.uuid4().hex}",
            attempt=1,
            inputs=inputs,
            may_publish=lambda: None,
            trials=log,
        )
        with _finished_by_ctrl_c(display):
            return run(request, context, display)


@contextlib.contextmanager
def _finished_by_ctrl_c(display: "TrainingDisplay") -> Iterator[None]:
    """Let the first Ctrl-C of a training finish it; the next, or one elsewhere, stops the run."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not display.finish():
            signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _as_json(result: "RunResult", report: Path, trials: "list[TrialRecord]") -> dict[str, Any]:
    return {
        **result.model_dump(mode="json", exclude={"metrics"}),
        **result.metrics.model_dump(mode="json"),
        "report": str(report),
        "trials": [trial.shown.model_dump(mode="json") for trial in trials] or None,
    }


def _print(result: "RunResult", store: str) -> None:
    metrics = result.metrics
    right = round(metrics.exact_match * metrics.test_images)
    what = "images, each by a network that had not seen it," if metrics.folds else "held-out images"
    say(out, f"Published {result.model} version {result.version} in {store}.")
    say(
        out,
        f"{right} of {metrics.test_images} {what} right: "
        f"{percent(metrics.exact_match)} ({interval(metrics.exact_match_interval)}), "
        f"CER {percent(metrics.cer)}.",
    )
    if metrics.unreadable_images is not None and metrics.unreadable_empty is not None:
        say(out, unreadable_line(metrics.unreadable_empty, metrics.unreadable_images))
    if not result.promoted:
        name = f"{result.model} {result.version}"
        say(out, f"It is not served yet: readsmith models promote {name} --store {store}")
    say(out, f"Trained on {metrics.train_images} images in {metrics.train_seconds:.0f} s.")
    say(out, f"Read images: readsmith predict IMAGE --model {result.model} --store {store}")


def _print_thresholds(calibration: "Calibration") -> None:
    rows = (
        (
            f"{row.threshold:.4f}",
            percent(row.accepted),
            percent(row.wrong),
            " to ".join(map(percent, row.wrong_interval)),
        )
        for row in calibration.thresholds
    )
    print_table(("accept from confidence", "accepted", "of these wrong", "95 % interval"), rows)


def _print_worst(bundle: Path) -> None:
    """Show the surest of the wrong predictions: no threshold keeps them out."""
    from trainer.pipeline.evaluation.report.worst import worst_predictions

    worst = worst_predictions(bundle)
    if worst:
        rows = [
            (each["file"], label(each["truth"]), each["text"], percent(each["confidence"]))
            for each in worst[:SHOWN]
        ]
        print_table(("surest of the wrong predictions", "label", "read", "confidence"), rows)
        folder = bundle / Path(worst[0]["image"]).parent
        say(out, f"Images of the worst predictions ({len(worst)}): {folder}")
