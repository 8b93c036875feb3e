"""Images per second: 64 in one request, beside 64 successive requests."""

import asyncio
import json
import statistics
from collections.abc import Sequence

from benchmarks.errors import BenchmarkError
from benchmarks.serving.client import Answer, ask_one_by_one, message
from benchmarks.serving.open_loop import is_correct
from benchmarks.serving.services import predictor
from benchmarks.serving.setting import Figures, Setting
from benchmarks.table import Row, spread

IMAGES = 64
MIN_RATIO = 2.0


def measure(setting: Setting) -> Figures:
    """Alternate over one persistent connection each; the same client, the same server."""
    single, batch = message(setting.image), message(setting.image, IMAGES)
    rounds = []
    with predictor(setting.conv) as service:
        service.wait_until_it_predicts(setting.image, setting.text)
        for _ in range(setting.number(30, 3)):
            singles = asyncio.run(ask_one_by_one(service.port, single, IMAGES))
            [together] = asyncio.run(ask_one_by_one(service.port, batch, 1))
            if not all(is_correct(answer, setting.text) for answer in singles):
                raise BenchmarkError(
                    "requests_failed", "Some single requests were answered wrongly."
                )
            _require_all_correct(together, setting.text)
            rounds.append(
                {
                    "single": IMAGES / (singles[-1].answered - singles[0].scheduled),
                    "batch": IMAGES / together.seconds,
                }
            )
    return {"images": IMAGES, "rounds": rounds}


def _require_all_correct(answer: Answer, text: str) -> None:
    results = json.loads(answer.body)["results"] if answer.status == 200 else []
    if [result.get("text") for result in results] != [text] * IMAGES:
        raise BenchmarkError("requests_failed", f"The batch was answered {answer.body[:300]!r}.")


def rows(figures: Figures) -> Sequence[Row]:
    """Compare round by round."""
    single = [each["single"] for each in figures["rounds"]]
    batch = [each["batch"] for each in figures["rounds"]]
    ratios = [many / one for many, one in zip(batch, single, strict=True)]
    return [
        Row(
            what=f"images/s in requests of {IMAGES}, beside single requests",
            reference=spread(single, "{:,.0f}/s"),
            ours=spread(batch, "{:,.0f}/s"),
            ratio=spread(ratios, "{:.1f}×"),
            target=f"≥ {MIN_RATIO:.0f}×",
            reached=statistics.median(ratios) >= MIN_RATIO,
        )
    ]
