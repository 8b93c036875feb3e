"""Batches of freshly drawn lines, drawn in processes beside the training.

Without TensorFlow: each of these processes imports this module.
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from queue import Empty

import numpy as np
from numpy.typing import NDArray

from shared.child_process import die_with_parent, explain_exit
from shared.errors import ProcessDiedError
from shared.recognition.vocabulary import Vocabulary
from trainer.pipeline.starter.drawing import CHARACTERS, Drawer, Fonts
from trainer.pipeline.starter.shapes import Example, shaped

SIZE = 32
"""Images in a batch, all of one height and width."""
WAITING = 16
"""Batches that may wait for the training, of each process."""
NICENESS = 19
CHECK_SECONDS = 5.0
"""After which, without a batch, it is checked whether the processes are alive."""


@dataclass(frozen=True)
class Drawings:
    """A batch: fitted images of one size, uint8 (N, H, W, 1), and the classes of each text."""

    pixels: NDArray[np.uint8]
    classes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> "Drawings":
        """Stack examples of one size."""
        pixels = np.stack([example.pixels for example in examples])
        return cls(pixels, tuple(example.classes for example in examples))


@contextmanager
def drawing(
    processes: int, seed: tuple[int, ...], fonts: Fonts | None = None
) -> Iterator[Iterator[Drawings]]:
    """Give an endless stream of batches; a process's lines depend on the seed and its number."""
    context = multiprocessing.get_context("spawn")
    waiting: Queue[Drawings] = context.Queue(WAITING * processes)
    children = [
        context.Process(
            target=_draw, args=((*seed, number), fonts, waiting, os.getpid()), daemon=True
        )
        for number in range(processes)
    ]
    try:
        for child in children:
            child.start()
        yield _received(waiting, children)
    finally:
        for child in children:
            child.kill()
            child.join()
        waiting.cancel_join_thread()


def _received(waiting: "Queue[Drawings]", children: Sequence[SpawnProcess]) -> Iterator[Drawings]:
    """Yield what the processes draw; raises ProcessDiedError where one has ended."""
    while True:
        try:
            yield waiting.get(timeout=CHECK_SECONDS)
        except Empty:
            for child in children:
                if child.exitcode is not None:
                    raise ProcessDiedError(
                        "process_died",
                        f"A process that draws {explain_exit(child.exitcode)}.",
                        "Its error stands above. The same command resumes from the checkpoint.",
                    ) from None


def _draw(
    seed: tuple[int, ...], fonts: Fonts | None, waiting: "Queue[Drawings]", parent: int
) -> None:
    die_with_parent(parent)
    os.nice(NICENESS)
    for batch in batches(seed, fonts):
        waiting.put(batch)


def batches(seed: tuple[int, ...], fonts: Fonts | None = None) -> Iterator[Drawings]:
    """Draw lines and yield each batch once it is full; equal seeds give equal batches."""
    of_drawer, of_shapes = np.random.SeedSequence(seed).generate_state(2).tolist()
    drawer, chance = Drawer(of_drawer, fonts), np.random.default_rng(of_shapes)
    vocabulary = Vocabulary(CHARACTERS)
    begun: dict[tuple[int, ...], list[Example]] = {}
    while True:
        example = shaped(drawer.draw(), vocabulary, chance)
        if example is None:
            continue
        of_size = begun.setdefault(example.pixels.shape, [])
        of_size.append(example)
        if len(of_size) == SIZE:
            yield Drawings.of(of_size)
            of_size.clear()
