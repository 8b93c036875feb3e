"""Users who read images all the time."""

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
    """Predictions by model and version."""
    failures: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """All requests so far."""
        return self.read_by.total() + len(self.failures)


@contextmanager
def reading(predictor: str, image: bytes) -> Iterator[Answers]:
    """Read an image a few times a second, each over a connection of its own."""
    answers, over = Answers(), threading.Event()

    def read() -> None:
        while not over.wait(PAUSE_SECONDS):
            try:
                _read(predictor, image, answers)
            except requests.RequestException as error:
                answers.failures.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield answers
    finally:
        over.set()
        reader.join()


def _read(predictor: str, image: bytes, answers: Answers) -> None:
    headers = {"Content-Type": "image/png"}
    answer = requests.post(
        f"{predictor}/predict", data=image, headers=headers, timeout=TIMEOUT_SECONDS
    )
    if answer.ok:
        said = answer.json()
        answers.read_by[said["model"], said["version"]] += 1
    else:
        answers.failures.append(f"{answer.status_code}: {answer.text}")
