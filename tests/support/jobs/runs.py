"""A small run of the pipeline in the process of a test."""

from pathlib import Path

from shared.store.store import ModelStore
from trainer.files.shared_files import FolderFiles
from trainer.pipeline.context import Inputs, RunContext
from trainer.schemas.job_request import Hyperparameters, JobRequest

QUICK = JobRequest(model="quick", hyperparameters=Hyperparameters(epochs=25, height=32, width=64))


def context(folder: Path, dataset: Path, job_id: str = "job-1") -> RunContext:
    return RunContext(
        job_id=job_id,
        attempt=1,
        inputs=Inputs(
            work=folder / "work",
            cache=folder / "cache",
            files=FolderFiles(folder),
            store=ModelStore(folder / "models"),
            local=dataset,
        ),
        may_publish=lambda: None,
    )
