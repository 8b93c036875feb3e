"""Errors of the benchmarks, which have no place in the product's table of codes."""

from collections.abc import Mapping
from typing import ClassVar

from shared.errors import ReadsmithError


class BenchmarkError(ReadsmithError):
    """A benchmark cannot run, or what it measures does not work."""

    codes: ClassVar[Mapping[str, str]] = {
        "not_a_record": "The result file is of another kind.",
        "no_wrk": "wrk is not installed.",
        "wrk_failed": "wrk ended with an error.",
        "requests_failed": "Requests under load failed, or were answered wrongly.",
        "server_failed": "A server does not answer.",
        "not_served": "A version was published but is not served.",
        "not_reloaded": "A registry did not load a new version.",
        "job_failed": "A training job failed.",
        "measurement_failed": "The process of a measurement ended with an error.",
        "stub": "The end of a job that only sleeps.",
    }
