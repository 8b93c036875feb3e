"""How much memory large requests take at a time."""

import threading
import time

import pytest

from predictor.requests import memory
from predictor.requests.memory import BODY_COPIES, DECODING_BYTES, SMALL_BYTES, MemoryBudget
from predictor.settings import PredictorSettings
from shared.errors import TooLargeError, UnavailableError

BODY = 30_000_000
"""Of which only one has room at a time."""


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> MemoryBudget:
    monkeypatch.setattr(memory, "WAIT_SECONDS", 0.2)
    return MemoryBudget(PredictorSettings(max_body_bytes=32_000_000))


def test_a_second_large_body_waits_and_is_refused(budget: MemoryBudget) -> None:
    with budget.lease() as first, budget.lease() as second:
        first.hold_body(BODY)
        with pytest.raises(UnavailableError) as refused:
            second.hold_body(BODY)
    assert refused.value.code == "memory_busy"


def test_what_a_request_took_is_there_for_the_next(budget: MemoryBudget) -> None:
    for _ in range(5):
        with budget.lease() as lease:
            lease.hold_body(BODY)
            lease.hold_decoding(DECODING_BYTES)
            assert (lease.body, lease.decoding) == (BODY_COPIES * BODY, DECODING_BYTES)


def test_a_waiting_request_goes_on_when_another_ends(
    budget: MemoryBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "WAIT_SECONDS", 60.0)
    done = threading.Event()

    def wait() -> None:
        with budget.lease() as lease:
            lease.hold_body(BODY)
            done.set()

    with budget.lease() as first:
        first.hold_body(BODY)
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not done.wait(0.1)
    waiting.join(60)
    assert done.is_set()


def test_few_requests_wait_at_a_time(budget: MemoryBudget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "WAIT_SECONDS", 60.0)

    def wait() -> None:
        with budget.lease() as lease:
            lease.hold_body(BODY)

    threads = [threading.Thread(target=wait) for _ in range(2)]
    with budget.lease() as first, budget.lease() as last:
        first.hold_body(BODY)
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60
        while budget._waiting < len(threads):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(UnavailableError):  # at once: else this test would take a minute
            last.hold_body(BODY)
        assert time.monotonic() < deadline
    for thread in threads:
        thread.join(60)


def test_small_requests_never_wait(budget: MemoryBudget) -> None:
    with budget.lease() as first, budget.lease() as second:
        first.hold_body(10 * BODY)
        second.hold_body(SMALL_BYTES // 2)
        second.hold_decoding(SMALL_BYTES)
        assert (second.body, second.decoding) == (0, 0)


def test_images_find_room_beside_bodies(budget: MemoryBudget) -> None:
    with budget.lease() as first, budget.lease() as second:
        first.hold_body(BODY // 2)
        second.hold_body(BODY // 2)
        first.hold_decoding(DECODING_BYTES)
        with pytest.raises(UnavailableError):
            second.hold_decoding(DECODING_BYTES)


def test_a_request_that_is_alone_may_take_more_than_there_is(budget: MemoryBudget) -> None:
    with budget.lease() as lease:
        lease.hold_body(BODY)
        lease.hold_decoding(2 * DECODING_BYTES)
        assert lease.decoding == 2 * DECODING_BYTES


def test_a_body_larger_than_several_may_have_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "WAIT_SECONDS", 0.2)
    budget = MemoryBudget(PredictorSettings(max_body_bytes=41_000_000))
    with budget.lease() as first, budget.lease() as second:
        first.hold_body(40_000_000)
        first.hold_decoding(DECODING_BYTES)
        with pytest.raises(UnavailableError):
            second.hold_body(2_000_000)
    with budget.lease() as first, budget.lease() as second:
        first.hold_body(2_000_000)
        with pytest.raises(UnavailableError):
            second.hold_body(40_000_000)


@pytest.mark.parametrize(("prefix", "fits"), [(b"", True), (b"data:image/png;base64,", False)])
def test_data_urls_take_more(budget: MemoryBudget, prefix: bytes, fits: bool) -> None:
    body = b'"' + prefix + b"A" * 15_000_000 + b'"'
    with budget.lease() as first, budget.lease() as second:
        first.hold_body(len(body))
        second.hold_body(len(body))
        if fits:
            first.hold_json(body)
        else:
            with pytest.raises(UnavailableError):
                first.hold_json(body)


def test_two_that_need_more_do_not_wait_for_each_other(
    budget: MemoryBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "WAIT_SECONDS", 60.0)
    both_hold = threading.Barrier(2, timeout=60)
    got = []

    def need_more() -> None:
        with budget.lease() as lease:
            lease.hold_decoding(50_000_000)
            both_hold.wait()
            lease.hold_decoding(110_000_000)
            got.append(lease.decoding)

    began = time.monotonic()
    threads = [threading.Thread(target=need_more) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert got == [110_000_000, 110_000_000]
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("text", "fits"), [("A", True), (r"\u002b", True), ("é", False), (r"\ud83d\ude00", False)]
)
def test_wide_texts_take_more(budget: MemoryBudget, text: str, fits: bool) -> None:
    body = b'"' + text.encode() + b"A" * 15_000_000 + b'"'
    with budget.lease() as first, budget.lease() as second:
        first.hold_body(len(body))
        second.hold_body(len(body))
        if fits:
            first.hold_json(body)
        else:
            with pytest.raises(UnavailableError):
                first.hold_json(body)


def test_long_wide_texts_are_refused_at_once(budget: MemoryBudget) -> None:
    with budget.lease() as lease:
        lease.hold_json(b'"' + "😀".encode() + b"A" * 19_000_000 + b'"')
        with pytest.raises(TooLargeError, match="20,000,000"):
            lease.hold_json(b'"' + "😀".encode() + b"A" * 21_000_000 + b'"')
