"""Learning curves of a training run: an image, and an event file for TensorBoard."""

import time
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from shared.api.jobs import Progress

SIZE = (9.0, 3.6)
"""Inches; at 100 dots per inch, 900x360 pixels."""


def draw_learning_curves(history: Sequence[Progress], file: Path) -> None:
    """Draw loss and exact match over the epochs as a PNG."""
    epochs = [progress.epoch for progress in history]
    marker = "o" if len(history) == 1 else None  # a line through one point is invisible
    figure = Figure(figsize=SIZE, dpi=100, layout="constrained")
    losses, matches = figure.subplots(1, 2)
    for axes, value, colour, label in (
        (losses, "loss", "C0", "training"),
        (losses, "validation_loss", "C1", "validation"),
        (matches, "exact_match", "C1", "validation"),
    ):
        values = [getattr(progress, value) for progress in history]
        axes.plot(epochs, values, marker=marker, color=colour, label=label)
    losses.set(title="CTC loss", ylabel="nats per image", yscale="log")
    matches.set(title="Exact match", ylabel="share of images", ylim=(-0.02, 1.02))
    matches.yaxis.set_major_formatter(PercentFormatter(1.0))
    for axes in (losses, matches):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(file)


def write_tensorboard(history: Sequence[Progress], folder: Path) -> None:
    """Write loss, validation_loss and exact_match of every epoch as a TensorBoard event file."""
    folder.mkdir()
    started = time.time() - history[-1].seconds
    event = tf.compat.v1.Event
    # TensorBoard finds its files by "tfevents". Not tf.summary: it would put the host's name into
    # a bundle that others may download.
    with tf.io.TFRecordWriter(str(folder / "events.out.tfevents.training")) as file:
        file.write(event(wall_time=started, file_version="brain.Event:2").SerializeToString())
        for progress in history:
            values = [
                tf.compat.v1.Summary.Value(tag=name, simple_value=getattr(progress, name))
                for name in ("loss", "validation_loss", "exact_match")
            ]
            summary = tf.compat.v1.Summary(value=values)
            record = event(
                wall_time=started + progress.seconds, step=progress.epoch, summary=summary
            )
            file.write(record.SerializeToString())
