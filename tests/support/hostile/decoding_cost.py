"""What hostile images cost, measured in a process of its own.

That is `python -m tests.support.hostile.decoding_cost`.
"""

import gc
import json
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.errors import ImageRejectedError
from shared.recognition.preprocessing import open_image, to_input
from tests.support.hostile.images import READ, REFUSED
from tests.support.models.bundles import SPEC, png


@dataclass(frozen=True)
class Cost:
    """How one image ended, the memory at its peak above the base, the processor time."""

    name: str
    outcome: str
    megabytes: float
    seconds: float


def measure(name: str, data: bytes) -> Cost:
    """Open an image and prepare it for a model."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    base, start = _memory("VmRSS"), time.process_time()
    try:
        to_input(open_image(data), SPEC)
        outcome = "read"
    except ImageRejectedError as error:
        outcome = error.code
    seconds = time.process_time() - start
    return Cost(name, outcome, (_memory("VmHWM") - base) / 1024, seconds)


def _memory(field: str) -> int:
    """Return kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field)))


def main() -> None:
    """Write a line of JSON for each image."""
    warnings.simplefilter("ignore")
    measure("the first, which loads the parsers", png("abc"))
    builders = READ | {name: builder for name, (builder, _) in REFUSED.items()}
    for name, build in builders.items():
        sys.stdout.write(json.dumps(asdict(measure(name, build()))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
