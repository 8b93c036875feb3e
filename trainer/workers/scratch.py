"""Deletes the files of finished jobs, also of those that a killed worker or child left behind."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from trainer.database.job_queue import JobQueue
from trainer.files.shared_files import SharedFiles


def clear_scratch(scratch: Path, queue: JobQueue) -> None:
    """Delete finished jobs' scratch folders on this machine; raises OSError or DBAPIError."""
    if scratch.is_dir():
        for folder in scratch.iterdir():
            if queue.is_over(folder.name):
                shutil.rmtree(folder, ignore_errors=True)


def clear_job_files(files: SharedFiles, queue: JobQueue, job_ids: Iterable[str]) -> None:
    """Delete the shared files of those jobs that are finished.

    Raises OSError, DBAPIError or ReadsmithError.
    """
    for job_id in job_ids:
        if queue.is_over(job_id):
            files.remove(f"jobs/{job_id}")


def jobs_with_files(files: SharedFiles) -> set[str]:
    """Return the ids of the jobs that have shared files."""
    return {name.split("/")[1] for name in files.names("jobs")}
