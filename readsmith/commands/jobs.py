"""`readsmith jobs`: the jobs of a running trainer."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from readsmith.options import options
from readsmith.output import duration, out, percent, print_json, print_table, say

if TYPE_CHECKING:
    from readsmith.client import Client
    from shared.api.jobs import Job, JobProgress

app = typer.Typer(
    help="List, show, cancel and finish the jobs of a running trainer.\n\n"
    "Example: readsmith jobs list"
)


@app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    url: options.TrainerUrl = "",
    as_json: options.Json = False,
) -> None:
    """List the jobs, newest first.

    Example: readsmith jobs list --limit 5
    """
    found = _trainer(url).jobs(limit)
    _show({"data": [each.as_sent() for each in found]}, found, as_json)


@app.command()
def show(
    job: options.JobArgument, url: options.TrainerUrl = "", as_json: options.Json = False
) -> None:
    """Show a job: its status, how long it will take, the trials of its search.

    Example: readsmith jobs show job-0123456789abcdef0123456789abcdef
    """
    _show_one(_trainer(url).job(job), as_json)


@app.command()
def cancel(
    job: options.JobArgument, url: options.TrainerUrl = "", as_json: options.Json = False
) -> None:
    """Ask a job to stop; it publishes nothing.

    Example: readsmith jobs cancel job-0123456789abcdef0123456789abcdef
    """
    _show_one(_trainer(url).cancel(job), as_json)


@app.command()
def finish(
    job: options.JobArgument, url: options.TrainerUrl = "", as_json: options.Json = False
) -> None:
    """Ask a job to end its training soon and publish the best.

    Example: readsmith jobs finish job-0123456789abcdef0123456789abcdef
    """
    _show_one(_trainer(url).finish(job), as_json)


def _trainer(url: str) -> "Client":
    from readsmith.client import Client

    return Client(trainer_url=url, retries=options.RETRIES, api_key=options.api_key())


def _show_one(job: "Job", as_json: bool) -> None:
    _show(job.as_sent(), [job], as_json)


def _show(answer: dict[str, Any], found: "list[Job]", as_json: bool) -> None:
    from readsmith.trials_table import print_trials
    from shared.api.jobs import Stage

    if as_json:
        print_json(answer)
        return
    columns = ("job", "status", "created", "model", "version", "exact match", "")
    print_table(columns, [_row(job) for job in found], whole=True)
    for job in found:
        if job.trials:
            print_trials(job.trials)
        if job.stage is Stage.TRAIN and job.progress is not None:
            say(out, _training(job, job.progress))


def _row(job: "Job") -> tuple[object, ...]:
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


def _training(job: "Job", progress: "JobProgress") -> str:
    """Return a sentence about how long the training will take."""
    left = (progress.estimated_finish_at - datetime.now(UTC)).total_seconds()
    how_far = f"epoch {progress.epoch} of {progress.epochs}"
    return f"{job.id} trains: {how_far}, about {duration(max(0.0, left))} left."
