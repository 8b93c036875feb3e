"""Latency at a constant rate, counted from each request's scheduled time."""

import asyncio
import json
import statistics
from collections.abc import Sequence

from benchmarks.serving.client import Answer, ask_at_rate, message
from benchmarks.serving.services import predictor
from benchmarks.serving.setting import Figures, Setting
from benchmarks.table import Row

RATE = 300.0
MAX_P99_MILLISECONDS = 20.0


def measure(setting: Setting) -> Figures:
    """Send requests at the rate for a minute, after a warm-up."""
    request = message(setting.image)
    with predictor(setting.conv) as service:
        service.wait_until_it_predicts(setting.image, setting.text)
        asyncio.run(ask_at_rate(service.port, request, rate=RATE, seconds=2))
        seconds = setting.number(60, 3)
        answers = asyncio.run(ask_at_rate(service.port, request, rate=RATE, seconds=seconds))
    return {
        "rate": RATE,
        "requests": len(answers),
        "failed": sum(not is_correct(answer, setting.text) for answer in answers),
        **centiles(answers),
    }


def is_correct(answer: Answer, text: str) -> bool:
    """Return whether an answer is a prediction of this text."""
    return answer.status == 200 and json.loads(answer.body)["text"] == text


def centiles(answers: Sequence[Answer]) -> dict[str, float]:
    """Return the p50, p99 and longest latency in milliseconds."""
    times = sorted(1000 * answer.seconds for answer in answers)
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "longest_ms": times[-1]}


def rows(figures: Figures) -> Sequence[Row]:
    """Compare the p99 with its target; a failed request misses it."""
    failed = figures["failed"]
    return [
        Row(
            what=f"p99 at a constant {figures['rate']:.0f} requests/s (p50)",
            reference="",
            ours=f"{figures['p99_ms']:.1f} ms ({figures['p50_ms']:.1f} ms)"
            + (f"; {failed} failed" if failed else ""),
            ratio="",
            target=f"≤ {MAX_P99_MILLISECONDS:.0f} ms",
            reached=not failed and figures["p99_ms"] <= MAX_P99_MILLISECONDS,
        )
    ]
