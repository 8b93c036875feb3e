"""`readsmith jobs`: the jobs of a running trainer."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from readsmith.client import Client
from readsmith.options import options
from readsmith.output import duration, out, percent, print_json, print_table, say
from readsmith.trials_table import print_trials
from shared.api.jobs import Job, JobProgress, Stage


def jobs(
    job: Annotated[str | None, typer.Argument(help="Show this job only.")] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Ask JOB to stop.")] = False,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="Ask JOB to end its training soon and publish the best."),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many to list.")] = 20,
    url: Annotated[str, typer.Option(help="The trainer.")] = "http://127.0.0.1:8000",
    as_json: options.Json = False,
) -> None:
    """List the jobs of a running trainer, newest first; show one, cancel it, or finish it.

    Example: readsmith jobs
    """
    client = Client(trainer_url=url, retries=options.RETRIES, api_key=options.api_key())
    if job is None:
        if cancel or finish:
            raise typer.BadParameter("--cancel and --finish need the id of a job.")
        found = client.jobs(limit)
        _show({"data": [each.as_sent() for each in found]}, found, as_json)
        return
    if cancel and finish:
        raise typer.BadParameter("A job is either cancelled or finished.")
    ask = client.cancel if cancel else client.finish if finish else client.job
    one = ask(job)
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
            if job.stage is Stage.TRAIN and job.progress is not None:
                say(out, _training(job, job.progress))


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


def _training(job: Job, progress: JobProgress) -> str:
    """Return a sentence about how long the training will take."""
    left = (progress.estimated_finish_at - datetime.now(UTC)).total_seconds()
    how_far = f"epoch {progress.epoch} of {progress.epochs}"
    return f"{job.id} trains: {how_far}, about {duration(max(0.0, left))} left."
