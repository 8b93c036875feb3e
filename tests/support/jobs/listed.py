"""What a list shows of a job."""

from typing import Any


def as_listed(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job, as the API has sent it, without what lists leave out."""
    request = {name: value for name, value in job["request"].items() if name != "relabel"}
    return job | {"request": request, "dataset": None, "trials": None}
