"""What jobs that are over have left behind is deleted, whoever ended them."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from trainer.database.job_queue import JobQueue
from trainer.files.shared_files import SharedFiles


def clear_scratch(scratch: Path, queue: JobQueue) -> None:
    """Delete their scratch folders on this machine; raises OSError or DBAPIError."""
    if scratch.is_dir():
        for folder in scratch.iterdir():
            if queue.is_over(folder.name):
                shutil.rmtree(folder, ignore_errors=True)


def clear_job_files(files: SharedFiles, queue: JobQueue, job_ids: Iterable[str]) -> None:
    """Delete what is kept for their later attempts; raises OSError, DBAPIError, ReadsmithError."""
    for job_id in job_ids:
        if queue.is_over(job_id):
            files.remove(f"jobs/{job_id}")


def jobs_with_files(files: SharedFiles) -> set[str]:
    """Return the ids of the jobs for which something is kept."""
    return {name.split("/")[1] for name in files.names("jobs")}
