"""Requests that take seconds leave threads to the others."""

import threading
from contextlib import ExitStack

import pytest

from predictor.requests import long_work
from predictor.requests.long_work import LONG_SECONDS, LongWork, expected_seconds
from shared.errors import UnavailableError

LONG = LONG_SECONDS + 1


@pytest.mark.parametrize(
    ("images", "search", "texts", "combine", "is_long"),
    [
        (64, False, 0, False, False),
        (10, True, 0, False, False),
        (64, True, 0, False, True),
        (1, True, 10_000, False, False),
        (16, True, 9_999, True, True),
    ],
)
def test_what_takes_long_is_told_by_images_search_and_texts(
    images: int, search: bool, texts: int, combine: bool, is_long: bool
) -> None:
    seconds = expected_seconds(images, search=search, texts=texts, combine=combine)
    assert (seconds > LONG_SECONDS) == is_long


def test_half_of_the_threads_do_long_work_and_short_work_is_never_kept_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(long_work, "WAIT_SECONDS", 0.05)
    work = LongWork(8)
    with ExitStack() as running:
        for _ in range(4):
            running.enter_context(work.turn(LONG))
        with pytest.raises(UnavailableError) as refused, work.turn(LONG):
            pass
        assert refused.value.code == "predictor_busy"
        with work.turn(LONG_SECONDS):
            pass
    with work.turn(LONG):  # after those that failed or ended, too
        pass


def test_a_quarter_of_the_threads_wait_for_their_turn_and_others_are_told_at_once() -> None:
    work = LongWork(4)
    done = threading.Event()
    with ExitStack() as running:
        for _ in range(2):
            running.enter_context(work.turn(LONG))

        def waits() -> None:
            with work.turn(LONG):
                done.set()

        thread = threading.Thread(target=waits)
        thread.start()
        while work._waiting._value:
            pass
        with pytest.raises(UnavailableError), work.turn(LONG):
            pass
    thread.join()
    assert done.is_set()
