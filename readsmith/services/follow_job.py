"""Posts a job over HTTP and shows it until it ends."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from readsmith.client import Client
from readsmith.client.trainer import FINAL, Event, Job
from readsmith.output import say
from readsmith.progress_display import TrainingDisplay
from shared.errors import ReadsmithError
from trainer.schemas.progress import Progress, Stage

POLL_SECONDS = 0.5


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
            return _follow(client, job.id, display, watch)
    except KeyboardInterrupt:
        with contextlib.suppress(ReadsmithError):
            client.cancel(job.id)
        raise


def _follow(
    client: Client, job_id: str, display: TrainingDisplay, watch: Callable[[], None]
) -> Job:
    last = 0
    while True:
        watch()
        job = client.job(job_id)  # before its events, so that a final job's are all there
        while events := client.past_events(job_id, last):
            for event in events:
                if event.data.get("stage") == Stage.TRAIN and (
                    summary := client.job(job_id).dataset
                ):
                    display.summary(summary)
                _show(event, display)
            last = events[-1].id
        if job.is_final:
            return job
        time.sleep(POLL_SECONDS)


def _show(event: Event, display: TrainingDisplay) -> None:
    if event.type == "stage":
        display.stage(Stage(event.data["stage"]))
    elif event.type == "progress":
        fields = {name: event.data[name] for name in Progress.model_fields if name in event.data}
        display.progress(Progress.model_validate(fields))
    elif event.type != "status" or event.data["status"] not in FINAL:
        display.event(event.type, event.message, event.data)
