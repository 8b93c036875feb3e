"""Nothing here imports TensorFlow: the processes would, too."""

import time

import pytest

from shared.child_process import limit_this_process
from shared.errors import ReadsmithError
from trainer.subprocesses import in_clean_process


def take(memory: int) -> int:
    limit_this_process(300_000_000, 60)
    return len(bytearray(memory))


def linger() -> None:
    limit_this_process(300_000_000, 1)
    time.sleep(600)


def test_a_process_gets_no_more_memory_than_it_is_given() -> None:
    assert in_clean_process(take, 10_000_000) == 10_000_000
    with pytest.raises(MemoryError):
        in_clean_process(take, 500_000_000)


def test_a_process_ends_after_the_time_that_it_is_given() -> None:
    with pytest.raises(ReadsmithError, match="ended without an answer"):
        in_clean_process(linger)
