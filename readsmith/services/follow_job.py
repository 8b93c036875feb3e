"""Posts a job over HTTP and shows it until it ends."""

import contextlib
from collections.abc import Callable
from typing import Any

from rich.console import Console

from readsmith.client import Client, ServiceError
from readsmith.output import say
from readsmith.progress_display import TrainingDisplay
from shared.api.jobs import Event, Job, Progress, Stage, Status
from shared.errors import ReadsmithError


def run_job(
    client: Client, request: dict[str, Any], console: Console, watch: Callable[[], None]
) -> Job:
    """Post a job, show it, and return it in its final status; Ctrl-C cancels it.

    watch is called while waiting and raises to stop.
    """
    job = client.start_job(request)
    say(console, f"Job {job.id} for model {job.model}")
    try:
        with TrainingDisplay(console) as display:
            for event in client.events(job.id, watch=watch):
                if event.type == "status" and Status(event.data["status"]).is_final:
                    break
                if event.data.get("stage") == Stage.TRAIN and (
                    summary := client.job(job.id).dataset
                ):
                    display.summary(summary)
                _show(event, display)
        return client.job(job.id)
    except ServiceError:
        watch()  # if the trainer has stopped, this tells why
        raise
    except KeyboardInterrupt:
        with contextlib.suppress(ReadsmithError):
            client.cancel(job.id)
        raise


def _show(event: Event, display: TrainingDisplay) -> None:
    if event.type == "stage":
        display.stage(Stage(event.data["stage"]))
    elif event.type == "progress":
        display.progress(Progress.model_validate(event.data))
    else:
        display.event(event.type, event.message, event.data)
