"""Samples processes periodically: the growth of their memory and open files."""

import asyncio
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.serving.services import Worker

SAMPLE_SECONDS = 2.0
FLOOR_SAMPLES = 15
"""Of so many samples in a row the least counts: large images in decoding are no growth, and they
come and go within a second."""
WARM_UP = 0.25
"""First share of the time, which is not counted: caches fill, allocators find their size."""


@dataclass
class Watch:
    """The samples of processes, by name."""

    processes: Mapping[str, Worker]
    seconds: list[float] = field(default_factory=list)
    resident: dict[str, list[int]] = field(default_factory=dict)
    files: dict[str, list[int]] = field(default_factory=dict)

    async def take_samples(self) -> None:
        """Take samples until cancelled; raises OSError if a process ends."""
        while True:
            self.seconds.append(time.monotonic())
            for name, process in self.processes.items():
                self.resident.setdefault(name, []).append(process.memory()[0])
                self.files.setdefault(name, []).append(_open_files(process))
            await asyncio.sleep(SAMPLE_SECONDS)

    def growth(self, name: str) -> dict[str, float]:
        """Return a process's growth after the warm-up.

        Its resident bytes at the end and the growth of their floor per minute (least squares); its
        open files at the end and their growth since the start (medians of quarters).
        """
        start = round(WARM_UP * len(self.seconds))
        resident, files = self.resident[name][start:], self.files[name][start:]
        starts = range(0, max(1, len(resident) - FLOOR_SAMPLES + 1), FLOOR_SAMPLES)
        floors = [min(resident[at : at + FLOOR_SAMPLES]) for at in starts]
        minutes = np.array([self.seconds[start + at] for at in starts]) / 60
        growth = float(np.polyfit(minutes, floors, 1)[0]) if len(floors) > 1 else 0.0
        quarter = max(1, len(files) // 4)
        return {
            "resident": resident[-1],
            "resident_a_minute": growth,
            "files": files[-1],
            "files_more": statistics.median(files[-quarter:]) - statistics.median(files[:quarter]),
        }


def _open_files(process: Worker) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
