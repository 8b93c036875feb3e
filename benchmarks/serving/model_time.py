"""The model alone: one image, one thread, in this process."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.serving.setting import Figures, Setting
from benchmarks.table import Row
from predictor.models.engine import Engine
from shared.recognition.preprocessing import preprocess
from shared.store.store import ModelStore

MAX_MILLISECONDS = {"conv": 0.5, "crnn": 1.0}
MOST_OF_CONV = 4.5
"""Times the time of conv that the large preset may take."""


def measure(setting: Setting) -> Figures:
    """Time the presets' graphs."""
    runs = setting.number(3000, 200)
    return {
        "runs": runs,
        "conv": _milliseconds(setting.conv, setting.image, runs),
        "conv-large": _milliseconds(setting.conv_large, setting.image, runs),
        "crnn": _milliseconds(setting.crnn, setting.image, runs),
    }


def _milliseconds(store: Path, image: bytes, runs: int) -> dict[str, float]:
    published = ModelStore(store)
    manifest = published.manifest("default", 1)
    engine = Engine.load(published.folder("default", 1), manifest, threads=1)
    inputs = preprocess(image, manifest.image)[np.newaxis]
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        engine._probabilities(inputs)
        times.append(1000 * (time.perf_counter() - begin))
    centiles = statistics.quantiles(times[runs // 10 :], n=100)  # the first ones warm up
    return {"p50_ms": centiles[49], "p99_ms": centiles[98]}


def rows(figures: Figures) -> Sequence[Row]:
    """Compare the medians with their targets."""
    limits = MAX_MILLISECONDS | {"conv-large": MOST_OF_CONV * figures["conv"]["p50_ms"]}
    return [
        Row(
            what=f"model time for one image, one thread, {preset} (p50)",
            reference="",
            ours=f"{figures[preset]['p50_ms']:.2f} ms",
            ratio="",
            target=f"≤ {limit:.3g} ms",
            reached=figures[preset]["p50_ms"] <= limit,
        )
        for preset, limit in limits.items()
    ]
