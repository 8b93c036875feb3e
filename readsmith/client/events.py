"""A job's events as they happen: server-sent events, resumed where a line broke."""

from collections.abc import Callable, Iterable, Iterator
from time import sleep

import requests

from readsmith.client.connection import ServiceConnection
from shared.api.jobs import Event

RECONNECT_SECONDS = 1.0
SEEN_TO_ITS_END = 204


def follow(
    connection: ServiceConnection, path: str, after: int, watch: Callable[[], None]
) -> Iterator[Event]:
    """Yield the events behind the one with this id, until the job has ended.

    A line that breaks is taken up again after the last event (Last-Event-ID). watch is called
    with each frame, which comes every 15 seconds at least. Raises ServiceError.
    """
    while True:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        with connection.send("GET", path, repeat=True, headers=headers, stream=True) as answer:
            if answer.status_code == SEEN_TO_ITS_END:
                return
            if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise connection.refusal(answer)
            for data in _data(_lines(answer), watch):
                event = connection.parsed(Event, data, answer.status_code)
                after = event.id
                yield event
        sleep(RECONNECT_SECONDS)


def _lines(answer: requests.Response) -> Iterator[bytes]:
    """Yield lines until the stream ends or breaks."""
    try:
        yield from answer.iter_lines()
    except requests.RequestException:
        return


def _data(lines: Iterable[bytes], watch: Callable[[], None]) -> Iterator[bytes]:
    """Yield what each whole frame holds: the trainer puts an event there as one line of JSON."""
    data = b""
    for line in lines:
        if line.startswith(b"data:"):
            data = line.removeprefix(b"data:")
        elif not line:
            watch()
            if data:
                yield data
            data = b""
