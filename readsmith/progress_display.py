"""Shows a training run while it goes on."""

from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from readsmith.output import duration, percent, say
from shared.api.jobs import Progress, Stage
from trainer.schemas.progress import Observer

STAGES = {
    Stage.DOWNLOAD: "Getting the images",
    Stage.DATASET: "Checking the images",
    Stage.TRAIN: "Training",
    Stage.EVALUATE: "Measuring on images held out until now",
    Stage.EXPORT: "Exporting and publishing",
}


class TrainingDisplay(Observer):
    """An observer of a run: ticked stages and a bar on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(
            SpinnerColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            BarColumn(16),
            console=console,
            transient=True,
            refresh_per_second=2,
        )
        self._task = self._bar.add_task("", visible=False)
        self._stage: Stage | None = None
        self._finishing = False

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self._tick()
        if self._console.is_terminal:
            self._bar.stop()

    def stage(self, stage: Stage) -> None:
        """Say that a stage begins."""
        self._tick()
        self._stage = stage
        if self._console.is_terminal:
            self._bar.reset(self._task, total=None, visible=True, description=STAGES[stage])
        else:
            say(self._console, STAGES[stage])

    def _tick(self) -> None:
        """Leave a line of the stage that is done, and of the time it took."""
        if self._stage is not None and self._console.is_terminal:
            took = self._bar.tasks[self._task].elapsed or 0.0
            say(self._console, f"✓ {STAGES[self._stage]} ({duration(took)})")

    def progress(self, progress: Progress) -> None:
        """Show how training goes."""
        if not self._console.is_terminal:
            say(self._console, f"  {epoch_line(progress)}")
            return
        self._bar.update(
            self._task,
            description=_short_line(progress),
            completed=progress.epoch,
            total=progress.epochs,
        )

    def finish(self) -> bool:
        """Ask the training to end soon; False if none is going on, or it was asked before."""
        if self._stage is not Stage.TRAIN or self._finishing:
            return False
        self._finishing = True
        say(
            self._console,
            "  Finishing: what is learned so far is published. Ctrl-C again stops at once.",
        )
        return True

    def finishing(self) -> bool:
        """Return whether it was asked to."""
        return self._finishing

    def summary(self, summary: dict[str, Any]) -> None:
        """Say what the dataset check found."""
        say(self._console, f"  {summary_line(summary)}")
        for note in (*summary.get("label_notes", ()), *summary.get("split_notes", ())):
            say(self._console, f"  {note}")
        say(self._console, f"  {input_line(summary)}")
        for warning in summary.get("warnings", ()):
            say(self._console, f"  Warning: {warning}")

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        """Say something worth knowing."""
        say(self._console, f"  {message}")


def epoch_line(progress: Progress) -> str:
    """Tell one epoch: losses, exact match on the validation part, speed, time left."""
    return (
        f"epoch {progress.epoch}/{progress.epochs}  loss {progress.loss:.3f}  "
        f"exact match {percent(progress.exact_match)}  "
        f"{progress.images_per_second:.0f} images/s  about {duration(progress.seconds_left)} left"
    )


def _short_line(progress: Progress) -> str:
    """Tell one epoch beside a bar, on a terminal of 80 columns."""
    return (
        f"{STAGES[Stage.TRAIN]}  epoch {progress.epoch}/{progress.epochs}  "
        f"exact match {percent(progress.exact_match)}  {duration(progress.seconds_left)} left"
    )


def input_line(summary: dict[str, Any]) -> str:
    """Tell in one line what images are brought to before they are read, and why."""
    choices = (f"{name} {why.replace(': ', ' (', 1)})" for name, why in summary["reasons"].items())
    return f"Input: {', '.join(choices)}."


def summary_line(summary: dict[str, Any]) -> str:
    """Tell in one line how many images there are, and how they are split."""
    split, folds = summary["split"], summary.get("folds")
    line = (
        f"{summary['images']} images: {split['train']} to train, "
        f"{split['validation']} to validate, {split['test']} held out"
    )
    if folds:
        line = f"{summary['images']} images: all to train, and to measure in {folds} folds"
        if unlabelled := summary.get("unlabelled"):
            line += f"; {unlabelled} without a text, to learn from as well"
    left_out = ", ".join(f"{n} {reason}" for reason, n in summary["left_out"].items())
    return f"{line}; left out: {left_out}" if left_out else line
