"""What a job's events tell: its attempts, where each ran, and what was lost between them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from readsmith.client import Client
from shared.api.jobs import Event


@dataclass
class Attempt:
    """One attempt, as far as it was told."""

    number: int
    began_at: datetime
    machine: str | None = None
    placed_at: datetime | None = None
    """When a machine had room for it."""
    epochs: list[int] = field(default_factory=list)
    resumed_at: datetime | None = None
    """When it went on from a checkpoint; None if it began from the start."""
    ended_at: datetime | None = None


def story(client: Client, job_id: str) -> list[Attempt]:
    """Return the attempts of a job, first to last."""
    attempts: list[Attempt] = []
    for event in _events(client, job_id):
        status = event.data.get("status") if event.type == "status" else None
        if status == "running":
            attempts.append(Attempt(event.data["attempt"], event.at))
        elif status and attempts:
            attempts[-1].ended_at = event.at
        elif event.type == "placed":
            attempts[-1].placed_at = event.at
            attempts[-1].machine = event.message.removeprefix("Runs on machine ").split(" ")[0]
        elif event.type == "resumed":
            attempts[-1].resumed_at = event.at
        elif event.type == "progress":
            attempts[-1].epochs.append(event.data["epoch"])
    return attempts


def _events(client: Client, job_id: str) -> Iterator[Event]:
    after = 0
    while page := client.past_events(job_id, after):
        yield from page
        after = page[-1].id
