"""Trains one trial of a search on a machine that is not the job's. Imports TensorFlow."""

import shutil
from pathlib import Path

from shared.errors import ReadsmithError
from trainer.cache_limit import limit_cache
from trainer.checkpoint import FILE
from trainer.kept_files import KeptFiles
from trainer.pipeline import RunContext, prepare
from trainer.progress import Observer
from trainer.ray_trials import TrialOrder
from trainer.search import require_same_parts, why_failed
from trainer.settings import Settings
from trainer.shared_files import shared_files
from trainer.stages.train import train


def train_trial(
    order: TrialOrder, settings: Settings, observer: Observer
) -> tuple[bytes | None, str | None]:
    """Return the checkpoint of a trial that was trained to its end, else why it failed."""
    context = _context(order, settings)
    folder = context.work / order.folder
    folder.mkdir(parents=True, exist_ok=True)
    limit_cache(settings.cache, settings.max_cache_bytes)
    try:
        load, base = prepare(order.request, context, observer)
        dataset = load(order.request)
        require_same_parts(dataset, order.fingerprint)
        train(dataset, order.request, observer, folder, base, max_restarts=0, kept=context.kept)
        return (folder / FILE).read_bytes(), None
    except Exception as error:
        why = why_failed(error)
        if why is None:
            raise
        return None, why
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _context(order: TrialOrder, settings: Settings) -> RunContext:
    return RunContext(
        job_id=order.job_id,
        attempt=0,
        work=settings.scratch / order.job_id,
        cache=settings.cache,
        files=shared_files(settings),
        store=settings.model_store(settings.keep_versions),
        may_publish=_never,
        limits=settings.dataset_limits,
        downloads=settings.downloads,
        save_corrections=_not_here,
        kept=KeptFiles.of(settings, order.job_id),
    )


def _never() -> None:
    raise AssertionError("a trial publishes nothing")


def _not_here(model: str, path: Path) -> None:
    raise ReadsmithError(
        "corrections_gone",
        f"The corrections of model {model} that the job began with are no longer kept.",
        "Start the job again.",
    )
