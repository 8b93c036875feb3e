"""What the serving benchmark says is what was measured: clients, judges and rows."""

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest

from benchmarks.serving import batch, changes, open_loop, process, request_profile, speed
from benchmarks.serving.bundles import VOCABULARY, best_path, other_text
from benchmarks.serving.client import BROKEN, Answer, ask_at_rate, ask_one_by_one, message
from benchmarks.serving.image import DRAWN_TEXT, choose_image
from shared.errors import ReadsmithError
from shared.recognition.decoding import decode

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
STALL_SECONDS = 0.05

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(behaviour: Behaviour) -> AsyncIterator[int]:
    """Yield the port of a server that receives requests and then does as it is told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            await behaviour(writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, OSError):
        return b""


def test_requests_over_one_connection_get_status_and_body() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    async def ask() -> list[Answer]:
        async with server(answer) as port:
            return await ask_one_by_one(port, message(b"image"), 3)

    answers = asyncio.run(ask())

    assert [(each.status, each.body) for each in answers] == [(200, b"{}")] * 3


def test_a_connection_that_breaks_is_a_failed_answer_and_the_next_request_opens_another() -> None:
    received = []

    async def break_once(writer: asyncio.StreamWriter) -> None:
        received.append(writer)
        if len(received) == 1:
            writer.transport.abort()
        else:
            writer.write(OK)

    async def ask() -> list[Answer]:
        async with server(break_once) as port:
            return await ask_one_by_one(port, message(b"image"), 2)

    assert [each.status for each in asyncio.run(ask())] == [BROKEN, 200]


def test_nobody_there_is_a_failed_answer() -> None:
    async def ask() -> list[Answer]:
        async with server(lambda writer: asyncio.sleep(0)) as port:
            pass
        return await ask_one_by_one(port, message(b"image"), 1)

    assert [each.status for each in asyncio.run(ask())] == [BROKEN]


def test_at_a_constant_rate_a_stall_counts_for_every_request_that_it_held_up() -> None:
    async def stall(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(STALL_SECONDS)
        writer.write(OK)

    async def ask() -> list[Answer]:
        async with server(stall) as port:
            return await ask_at_rate(
                port, message(b"image"), rate=1000, seconds=0.003, connections=1
            )

    first, second, third = sorted(asyncio.run(ask()), key=lambda answer: answer.scheduled)

    assert second.scheduled - first.scheduled == pytest.approx(0.001)
    assert third.seconds >= 3 * STALL_SECONDS - 0.002


@pytest.mark.parametrize(("text", "time_steps"), [("226md", 48), ("226md", 50), ("b", 4)])
def test_the_path_that_bundles_are_made_with_spells_the_text(text: str, time_steps: int) -> None:
    probabilities = np.eye(VOCABULARY.classes, dtype=np.float32)[best_path(text, time_steps)]

    [prediction] = decode(probabilities[np.newaxis], VOCABULARY)

    assert prediction.text == text


def test_the_other_version_reads_every_character_differently() -> None:
    text = "".join(VOCABULARY.characters)
    other = other_text(text)

    assert all(one != another for one, another in zip(text, other, strict=True))
    assert sorted(other) == sorted(text)


def test_the_image_is_the_first_of_the_v2_set_or_a_drawn_one(tmp_path: Path) -> None:
    drawn, text, origin = choose_image(tmp_path)
    assert (drawn[:4], text) == (b"\x89PNG", DRAWN_TEXT)
    assert "drawn" in origin

    with zipfile.ZipFile(tmp_path / "captcha_images_v2.zip", "w") as archive:
        for name in ("__MACOSX/._226md.png", "set/22d5n.png", "set/226md.png"):
            archive.writestr(name, name)

    assert choose_image(tmp_path) == (
        b"set/226md.png",
        "226md",
        "set/226md.png of the V2 set",
    )


def answered(at: float, version: int, text: str, *, status: int = 200) -> Answer:
    body = json.dumps({"version": version, "text": text}).encode()
    return Answer(at, at + 0.01, status, body)


TEXTS = {1: "old", 2: "new"}


def test_an_answer_with_the_other_versions_prediction_is_a_wrong_version_answer() -> None:
    answers = [answered(t / 10, 1, "old") for t in range(50)]
    answers += [answered(5 + t / 10, 2, "new") for t in range(50)]
    promoted = [4.95]

    good = changes.judge(answers, promoted, TEXTS)
    bad = changes.judge([*answers, answered(12.0, 2, "old")], promoted, TEXTS)

    assert (good["wrong_version"], good["failed"], good["missed"]) == (0, 0, 0)
    assert bad["wrong_version"] == 1


def test_a_failed_answer_and_a_version_that_never_came_are_counted() -> None:
    answers = [answered(t / 10, 1, "old") for t in range(100)]

    found = changes.judge([*answers, answered(10.0, 1, "", status=503)], [2.0, 5.0], TEXTS)

    assert found["failed"] == 1
    assert found["missed"] == 1  # version 2 never came; the way back to 1 did


def test_latencies_during_a_change_are_those_of_the_second_after_it() -> None:
    slow = [
        Answer(5.0 + t / 100, 5.2 + t / 100, 200, b'{"version": 2, "text": "new"}')
        for t in range(90)
    ]
    steady = [answered(t / 100, 1, "old") for t in range(400)]
    steady += [answered(7 + t / 100, 2, "new") for t in range(400)]

    found = changes.judge(slow + steady, [4.99], TEXTS)

    assert found["during"]["p50_ms"] == pytest.approx(200)
    assert found["steady"]["longest_ms"] == pytest.approx(10)
    [_, ratio] = changes.rows({"rate": 300.0, **found})
    assert (ratio.ratio, ratio.reached) == ("20.0×", False)


def rates(ours: float, tutorial: float, echo: float) -> dict[str, dict[str, float]]:
    return {
        "ours": {"requests_per_second": ours},
        "tutorial": {"requests_per_second": tutorial},
        "echo": {"requests_per_second": echo},
    }


def test_speed_is_compared_round_by_round() -> None:
    figures = {"rounds": [rates(1400, 14, 2000), rates(1000, 8, 2500), rates(1200, 10, 2400)]}

    tutorial, echo = speed.rows(figures)

    assert (tutorial.ratio, tutorial.reached) == ("120× (100× to 125×)", True)
    assert (echo.ratio, echo.reached) == ("50 % (40 % to 70 %)", True)


def test_a_batch_is_compared_with_single_requests_round_by_round() -> None:
    rounds = [{"single": 500.0, "batch": 900.0}, {"single": 400.0, "batch": 1000.0}]

    [row] = batch.rows({"rounds": rounds})

    assert (row.ratio, row.reached) == ("2.1× (1.8× to 2.5×)", True)


def test_one_failed_request_spoils_the_latency_at_a_constant_rate() -> None:
    figures = {"rate": 300.0, "failed": 0, "p99_ms": 19.0, "p50_ms": 2.0}

    assert [row.reached for row in open_loop.rows(figures)] == [True]
    assert [row.reached for row in open_loop.rows({**figures, "failed": 1})] == [False]


def test_growth_is_the_slope_and_resident_memory_is_judged() -> None:
    memory = {"resident": 121_000_000, "proportional": 80_000_000}
    growth = process.slope([5e6 + 0.2e6 * reload for reload in range(100)])

    worker, starter, reloads = process.memory_rows(
        {
            "requests": 1000,
            "one_model": memory,
            "with_the_starter": memory,
            "reloads": 1000,
            "bytes_a_reload": growth,
        }
    )

    assert (worker.ours, worker.reached) == ("121 MB (80 MB)", False)
    assert starter.reached is None
    assert (reloads.ours, reloads.reached) == ("0.200 MB", False)


def test_a_steps_time_is_without_that_of_the_steps_within_it() -> None:
    watch = request_profile.Stopwatch(iter([0.0, 1.0, 4.0, 10.0]).__next__)
    inner = watch.timed("inner", lambda: None)

    watch.timed("outer", inner)()

    assert watch.seconds == {"inner": 3.0, "outer": 7.0}


@pytest.mark.parametrize(
    "function", [function for step in request_profile.STEPS.values() for function in step]
)
def test_every_function_that_is_timed_exists(function: str) -> None:
    assert callable(resolve_name(function))


def test_without_wrk_the_benchmark_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ReadsmithError, match="wrk") as caught:
        speed.require_wrk()

    assert "apt-get install wrk" in caught.value.hint
