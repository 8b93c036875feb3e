"""What the check of a dataset finds."""

from pathlib import Path
from typing import Any

from trainer.requests import JobRequest
from trainer.safe_zip import DEFAULT_LIMITS, DatasetLimits
from trainer.stages.dataset import load_dataset


def check_dataset(
    path: Path, request: JobRequest, limits: DatasetLimits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """Return the summary of a dataset as a job would see it; raises ReadsmithError."""
    return load_dataset(path, request, limits=limits).summary
