"""How long checking a set takes, by this tree or by this and another one in turn.

python -m benchmarks.check                                   # 20,000 drawn images, three rounds
python -m benchmarks.check --against ../other --command check # and another checkout's command

Draws small images with labels.csv once, and runs `datasets check` on them, each time in a process
of its own. Prints the seconds of the clock and of the processor, and the ratio of each round:
where other programs compete for the cores, the processor's seconds say more.
"""

import argparse
import io
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from PIL import Image, ImageDraw, ImageFont

from benchmarks.drawn_sets import Drawing, write_zip

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ23456789"
SIZE = 120, 40
HERE = Path(__file__).resolve().parent.parent


def drawn(images: int, seed: int = 7) -> Iterator[Drawing]:
    """Draw lines of six characters on light grounds, crossed by three lines."""
    chance = random.Random(seed)
    font = ImageFont.load_default(24)
    for _ in range(images):
        text = "".join(chance.choices(LETTERS, k=6))
        image = Image.new("RGB", SIZE, (chance.randint(200, 255), 240, 240))
        pen = ImageDraw.Draw(image)
        pen.text((chance.randint(2, 10), chance.randint(2, 8)), text, "#141414", font)
        for _ in range(3):
            ends = [chance.randint(0, side) for side in (*SIZE, *SIZE)]
            pen.line(ends, "#646464")
        data = io.BytesIO()
        image.save(data, "PNG")
        yield text, data.getvalue()


def checked(tree: Path, command: Sequence[str], dataset: Path) -> tuple[float, float]:
    """Check a set once with a tree's command; return seconds of the clock and the processor."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "readsmith", *command, str(dataset), "--json"],
        cwd=dataset.parent,
        env=os.environ | {"PYTHONPATH": str(tree.resolve())},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, busy


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the set, check it in rounds, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="another checkout, measured in turn")
    parser.add_argument("--command", default="datasets check", help="that checkout's command")
    given = parser.parse_args(argv)
    ratios = []
    with tempfile.TemporaryDirectory(prefix="bench-check-") as folder:
        dataset = write_zip(Path(folder) / "set.zip", drawn(given.images))
        for number in range(1, given.rounds + 1):
            clock, busy = checked(HERE, ("datasets", "check"), dataset)
            line = f"round {number}: {clock:.1f} s, {busy:.1f} s of the processor"
            if given.against:
                other, other_busy = checked(given.against, given.command.split(), dataset)
                ratios.append(busy / other_busy)
                line += f"; {given.against.name} {other:.1f} s, {other_busy:.1f} s"
                line += f"; ratio {clock / other:.2f}, {ratios[-1]:.2f}"
            print(line, flush=True)
    if ratios:
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"processor, against {given.against.name}: {median(ratios):.2f} times ({spread})")


if __name__ == "__main__":
    main()
