"""Version changes under constant load: failed requests, wrong versions, latency.

The two versions predict different texts for the same image, which exposes an answer that names
one version and carries the other's prediction.
"""

import asyncio
import json
import shutil
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from benchmarks.serving.client import Answer, ask_at_rate, message
from benchmarks.serving.open_loop import centiles
from benchmarks.serving.services import predictor
from benchmarks.serving.setting import Figures, Setting
from benchmarks.table import Row
from shared.store.store import ModelStore

RATE = 150
"""Requests a second: about half of what two cores answer beside the client. Nearer to that limit, a
queue that builds up for any reason hides what a change costs."""
SECONDS_BETWEEN = 2.0
CHANGE_SECONDS = 1.0
"""How long after its promotion a change counts as in progress."""
POLL_SECONDS = 0.1
"""Short enough for every worker to load a version well within that time."""
MAX_RATIO = 3.0


def measure(setting: Setting) -> Figures:
    """Promote the two versions in turn while requests come at a constant rate."""
    changes = setting.number(100, 3)
    store = ModelStore(shutil.copytree(setting.conv, setting.scratch / "changes"))
    with predictor(store.root, poll_seconds=POLL_SECONDS) as service:
        service.wait_until_it_predicts(setting.image, setting.text)
        answers, promoted = asyncio.run(
            _under_load(service.port, message(setting.image), store, changes)
        )
    texts = {1: setting.text, 2: setting.other_text}
    return {"rate": RATE, **judge(answers, promoted, texts)}


async def _under_load(
    port: int, request: bytes, store: ModelStore, changes: int
) -> tuple[list[Answer], list[float]]:
    """Return the answers, and when each promotion began (time.perf_counter)."""
    promoted = []

    async def promote() -> None:
        for index in range(changes):
            await asyncio.sleep(SECONDS_BETWEEN)
            promoted.append(time.perf_counter())
            await asyncio.to_thread(store.promote, "default", promoted_version(index))

    seconds = SECONDS_BETWEEN * (changes + 1)
    answers, _ = await asyncio.gather(
        ask_at_rate(port, request, rate=RATE, seconds=seconds), promote()
    )
    return answers, promoted


def promoted_version(index: int) -> int:
    """Return the version of the first, second, ... promotion; version 1 is served before."""
    return 2 - index % 2


def judge(
    answers: Sequence[Answer], promoted: Sequence[float], texts: Mapping[int, str]
) -> Figures:
    """Count what went wrong, and compare latencies during changes with all others.

    texts: each version's text. A promotion is missed if the last answer before the next one
    was still the other version's.
    """
    good = sorted(
        (answer for answer in answers if answer.status == 200), key=lambda answer: answer.answered
    )
    bodies = [json.loads(answer.body) for answer in good]
    answered = [answer.answered for answer in good]
    ends = [bisect_left(answered, end) for end in (*promoted[1:], float("inf"))]
    missed = sum(
        end == 0 or bodies[end - 1]["version"] != promoted_version(index)
        for index, end in enumerate(ends)
    )
    during = [answer for answer in answers if _in_a_change(answer, promoted)]
    steady = [answer for answer in answers if not _in_a_change(answer, promoted)]
    return {
        "changes": len(promoted),
        "requests": len(answers),
        "failed": len(answers) - len(good),
        "wrong_version": sum(texts[body["version"]] != body["text"] for body in bodies),
        "missed": missed,
        "during": centiles(during),
        "steady": centiles(steady),
    }


def _in_a_change(answer: Answer, promoted: Sequence[float]) -> bool:
    """Return whether the request was in flight within CHANGE_SECONDS after a promotion."""
    last = bisect_left(promoted, answer.answered) - 1
    return last >= 0 and answer.scheduled <= promoted[last] + CHANGE_SECONDS


def rows(figures: Figures) -> Sequence[Row]:
    """No request may fail or name the wrong version, and p99 must stay low."""
    wrong = figures["failed"], figures["wrong_version"], figures["missed"]
    ratio = figures["during"]["p99_ms"] / figures["steady"]["p99_ms"]
    return [
        Row(
            what=f"{figures['changes']} version changes at {figures['rate']:.0f} requests/s: "
            "failed, wrong-version answers, changes missed",
            reference="",
            ours="{}, {}, {}".format(*wrong),
            ratio="",
            target="0, 0, 0",
            reached=not any(wrong),
        ),
        Row(
            what=f"p99 within {CHANGE_SECONDS:.0f} s of a change, beside all other requests",
            reference=f"{figures['steady']['p99_ms']:.1f} ms",
            ours=f"{figures['during']['p99_ms']:.1f} ms",
            ratio=f"{ratio:.1f}×",
            target=f"≤ {MAX_RATIO:.0f}×",
            reached=ratio <= MAX_RATIO,
        ),
    ]
