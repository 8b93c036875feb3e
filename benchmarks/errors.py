"""Why a benchmark gives no figure."""

from typing import ClassVar

from shared.errors import ReadsmithError


class BenchmarkError(ReadsmithError):
    """A benchmark that cannot go on."""

    codes: ClassVar = {
        "job_failed": "A job of the benchmark did not succeed.",
        "measurement_failed": "The process that measures one side ended badly.",
        "no_wrk": "The program wrk is not installed.",
        "not_a_record": "The file of results is none of this benchmark.",
        "not_reloaded": "A server did not load the new version.",
        "not_served": "The predictor does not serve the first version.",
        "requests_failed": "Requests were not answered as they must be.",
        "server_failed": "A server does not answer, or predicts another text.",
        "stub": "A job that trains nothing has come to its end.",
        "wrk_failed": "The program wrk ended badly.",
    }
