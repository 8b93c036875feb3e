"""Users who read pictures all the time."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

PAUSE_SECONDS = 0.25
TIMEOUT_SECONDS = 30


@dataclass
class Answers:
    """What the predictor said, counted."""

    read_by: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Readings by model and version."""
    failures: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """All requests so far."""
        return self.read_by.total() + len(self.failures)


@contextmanager
def reading(predictor: str, picture: bytes) -> Iterator[Answers]:
    """Read a picture a few times a second, each over a connection of its own."""
    answers, over = Answers(), threading.Event()

    def read() -> None:
        while not over.wait(PAUSE_SECONDS):
            try:
                _read(predictor, picture, answers)
            except requests.RequestException as error:
                answers.failures.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield answers
    finally:
        over.set()
        reader.join()


def _read(predictor: str, picture: bytes, answers: Answers) -> None:
    headers = {"Content-Type": "image/png"}
    answer = requests.post(
        f"{predictor}/predict", data=picture, headers=headers, timeout=TIMEOUT_SECONDS
    )
    if answer.ok:
        said = answer.json()
        answers.read_by[said["model"], said["version"]] += 1
    else:
        answers.failures.append(f"{answer.status_code}: {answer.text}")
