"""Trains starters on drawn lines until the end that is asked for. Imports TensorFlow."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainer.pipeline.starter.batches import Drawings, drawing
from trainer.pipeline.starter.checkpoint import Course, save
from trainer.pipeline.starter.drawing import Drawn, Fonts
from trainer.pipeline.starter.evaluate import Starter, drawn_match, held_out_lines
from trainer.pipeline.starter.learner import Learner
from trainer.pipeline.starter.schedule import Length
from trainer.pipeline.starter.shapes import SPEC

SAVE_SECONDS = 300
REPORT_STEPS, MEASURE_STEPS = 100, 1000
TEST_LINES = 300


@dataclass(frozen=True)
class TrainingPlan:
    """How long to train, where the checkpoint is, and how many processes draw, in which fonts."""

    length: Length
    work: Path
    processes: int = 1
    fonts: Fonts | None = None


def train(learners: Sequence[Learner], course: Course, plan: TrainingPlan) -> None:
    """Train all networks on the same lines, and save now and then and at the end."""
    course.starts += 1
    with drawing(plan.processes, (course.seed, course.starts), plan.fonts) as batches:
        try:
            _learn(learners, course, plan, batches)
        finally:  # also when it is interrupted, or a process that draws has ended
            save(plan.work, course, learners)


def _learn(
    learners: Sequence[Learner], course: Course, plan: TrainingPlan, batches: Iterator[Drawings]
) -> None:
    report = _Report(learners, held_out_lines(TEST_LINES, plan.fonts), saved=course.seconds)
    for batch in _timed(batches, course, plan.length):
        factor = plan.length.factor(course.steps, course.seconds)
        losses = [learner.step(batch, factor) for learner in learners]
        course.steps += 1
        report.add(losses, course)
        if course.seconds - report.saved > SAVE_SECONDS:
            save(plan.work, course, learners)
            report.saved = course.seconds


def _timed(batches: Iterator[Drawings], course: Course, length: Length) -> Iterator[Drawings]:
    """Yield batches until the training is over, and count its seconds."""
    before, began = course.seconds, time.monotonic()
    while length.share(course.steps, course.seconds) < 1:
        yield next(batches)
        course.seconds = before + time.monotonic() - began


@dataclass
class _Report:
    """Prints how a training goes."""

    learners: Sequence[Learner]
    lines: Sequence[Drawn]
    losses: list[Sequence[float]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    saved: float = 0.0
    """The course's seconds at the last checkpoint."""

    def add(self, losses: Sequence[float], course: Course) -> None:
        """Add a step's losses, and print what is due."""
        self.losses.append(losses)
        if course.steps % REPORT_STEPS == 0:
            self._print_losses(course)
        if course.steps % MEASURE_STEPS == 0:
            for learner in self.learners:
                starter = Starter(learner.reader, learner.vocabulary, SPEC)
                found = drawn_match(starter, self.lines)
                print(f"  {learner.preset}: {found:.1%} of drawn lines", flush=True)  # noqa: T201

    def _print_losses(self, course: Course) -> None:
        means = [sum(each) / len(each) for each in zip(*self.losses, strict=True)]
        shown = ", ".join(
            f"{learner.preset} {mean:.3f}"
            for learner, mean in zip(self.learners, means, strict=True)
        )
        rate = 60 * len(self.losses) / (time.monotonic() - self.began)
        print(  # noqa: T201 - a command
            f"{course.seconds / 60:5.1f} min, step {course.steps}: loss {shown}; "
            f"{rate:.0f} steps a minute",
            flush=True,
        )
        self.losses.clear()
        self.began = time.monotonic()
