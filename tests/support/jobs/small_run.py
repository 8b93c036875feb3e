"""A run without TensorFlow, for the tests of jobs: real checkpoints, a real publication."""

import time

import numpy as np

from shared.api.jobs import Progress, Stage
from shared.store.manifest import FileEntry, Manifest
from shared.store.store import ModelStore
from tests.support.models.bundles import bundle_files, calibration, manifest
from trainer.pipeline.training import checkpoint
from trainer.schemas.job import Claim
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import RunResult
from trainer.settings import Settings
from trainer.workers.job_process import JobObserver

EPOCHS = 4


def small_run(
    claim: Claim, request: JobRequest, settings: Settings, observer: JobObserver
) -> RunResult:
    """Count epochs, saving each, then publish stripes; the loss told is the attempt's number.

    Each epoch takes metadata["epoch_seconds"].
    """
    work = settings.scratch / claim.job_id
    kept = settings.job_files(claim.job_id)
    observer.stage(Stage.TRAIN)
    state = checkpoint.load(work, "small", kept) or checkpoint.State(
        [np.zeros(1000)], [np.zeros(1000)]
    )
    while state.epoch < EPOCHS:
        time.sleep(float(request.metadata.get("epoch_seconds", 0)))
        observer.checkpoint()
        state.history.append(_progress(state.epoch + 1, claim.attempt))
        observer.progress(state.history[-1])
        checkpoint.save(work, state, "small", kept)
    observer.stage(Stage.EXPORT)
    build = work / f"bundle-{claim.attempt}"
    for name, data in bundle_files().items():
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_bytes(data)

    def make_manifest(version: int, files: dict[str, FileEntry]) -> Manifest:
        of_job = manifest(version, files, model=request.model, job_id=claim.job_id)
        return of_job.model_copy(update={"attempt": claim.attempt})

    published = ModelStore(settings.store, settings.retained_versions).publish(
        build,
        make_manifest,
        model=request.model,
        job_id=claim.job_id,
        may_publish=observer.may_publish,
    )
    assert published.metrics is not None
    return RunResult(
        model=published.model,
        version=published.version,
        metrics=published.metrics,
        calibration=calibration(),
        seconds_to={},
        parameters={},
        preset="stripes",
    )


def _progress(epoch: int, attempt: int) -> Progress:
    return Progress(
        epoch=epoch,
        epochs=EPOCHS,
        loss=attempt,
        validation_loss=1,
        exact_match=0.5,
        images_per_second=1,
        seconds=epoch,
        seconds_left=EPOCHS - epoch,
    )
