"""What the check of a dataset finds."""

from pathlib import Path
from typing import Any

from trainer.pipeline.datasets.load import load_dataset
from trainer.schemas.job_request import JobRequest
from trainer.schemas.limits import DEFAULT_LIMITS, DatasetLimits


def check_dataset(
    path: Path, request: JobRequest, limits: DatasetLimits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """Return the summary of a dataset as a job would see it; raises ReadsmithError."""
    return load_dataset(path, request, limits=limits).summary
