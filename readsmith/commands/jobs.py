"""`readsmith jobs`: the jobs of a running trainer."""

from typing import Annotated, Any

import typer

from readsmith.client import Client
from readsmith.options import options
from readsmith.output import percent, print_json, print_table
from readsmith.trials_table import print_trials
from shared.api.jobs import Job


def jobs(
    job: Annotated[str | None, typer.Argument(help="Show this job only.")] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Ask JOB to stop.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many to list.")] = 20,
    url: Annotated[str, typer.Option(help="The trainer.")] = "http://127.0.0.1:8000",
    as_json: options.Json = False,
) -> None:
    """List the jobs of a running trainer, newest first; show one, or cancel it.

    Example: readsmith jobs
    """
    client = Client(trainer_url=url, retries=options.RETRIES, api_key=options.api_key())
    if job is None:
        if cancel:
            raise typer.BadParameter("--cancel needs the id of a job.")
        found = client.jobs(limit)
        _show({"data": [each.as_sent() for each in found]}, found, as_json)
        return
    one = client.cancel(job) if cancel else client.job(job)
    _show(one.as_sent(), [one], as_json)


def _show(answer: dict[str, Any], found: list[Job], as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        columns = ("job", "status", "created", "model", "version", "exact match", "")
        print_table(columns, [_row(job) for job in found])
        for job in found:
            if job.trials:
                print_trials(job.trials)


def _row(job: Job) -> tuple[object, ...]:
    measured = job.metrics or job.progress
    return (
        job.id,
        job.status,
        f"{job.created_at:%Y-%m-%d %H:%M}",
        job.model,
        job.version,
        percent(measured.exact_match) if measured else "",
        job.error.message if job.error else job.stage,
    )
