"""Trains one trial of a search on another machine than the job's. Imports TensorFlow."""

import shutil
from pathlib import Path

from shared.errors import FailedError
from trainer.files.cache import limit_cache
from trainer.pipeline.context import Inputs, prepare
from trainer.pipeline.search.trial import require_same_parts, why_failed
from trainer.pipeline.training.checkpoint import FILE
from trainer.pipeline.training.train import train
from trainer.schemas.progress import Observer
from trainer.settings import Settings
from trainer.workers.ray.messages import Outcome, TrialOrder


def train_trial(order: TrialOrder, settings: Settings, observer: Observer) -> Outcome:
    """Train a trial; return its checkpoint, or why it failed."""
    inputs = Inputs.of(settings, order.job_id, save_corrections=_corrections_gone)
    folder = inputs.work / order.folder
    folder.mkdir(parents=True, exist_ok=True)
    limit_cache(settings.cache, settings.max_cache_bytes)
    try:
        load, base = prepare(order.request, inputs, observer)
        dataset = load(order.request)
        require_same_parts(dataset, order.fingerprint)
        train(dataset, order.request, observer, folder, base, 0, inputs.job_files)
        return Outcome((folder / FILE).read_bytes())
    except Exception as error:
        why = why_failed(error)
        if why is None:
            raise
        return Outcome(failure=why)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _corrections_gone(model: str, path: Path) -> None:
    # The job's process has saved them in the shared files; those in the database now may be
    # others, and all trials must have the same dataset.
    raise FailedError(
        "corrections_gone",
        f"The corrections of model {model} with which the job began are no longer stored.",
        "Submit the job again.",
    )
