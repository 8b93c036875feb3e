"""A profile of training.

    python -m benchmarks.training_profile [--preset NAME] [--batches N] [--json FILE]

Takes captcha_images_v2.zip from READSMITH_TEST_DATA, or draws a set.
"""

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks.record import Machine
from shared.recognition.decoding import decode
from shared.recognition.preprocessing import to_batch
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.downloads.synthetic import draw_dataset
from trainer.pipeline.networks.ctc import ctc_loss
from trainer.pipeline.networks.inference import BATCH, CHUNK, predict
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.training.augmentation import augment
from trainer.pipeline.training.base import load_starter
from trainer.pipeline.training.examples import Batch, Examples
from trainer.pipeline.training.fitting import Fitting
from trainer.pipeline.training.parameters import choose_parameters
from trainer.schemas.job_request import JobRequest, PresetName, Synthetic
from trainer.schemas.progress import Observer

WARM_UP = 5
"""Batches that are not counted: functions are traced, memory is allocated."""

Seconds = dict[str, float]


def main() -> None:
    """Measure, and print the time of each step."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="readsmith-") as work:
        data = os.environ.get("READSMITH_TEST_DATA")
        path = Path(data, "captcha_images_v2.zip") if data else Path(work, "drawn.zip")
        if data is None:
            draw_dataset(Synthetic(), path)
        begin, batch, validation, about = profile(path, options.preset, options.batches)
    console = Console()
    console.print(about, highlight=False)
    for title, steps in (
        ("Once", begin),
        (f"A batch, medians of {options.batches}", batch),
        ("Validation, after every epoch", validation),
    ):
        console.print(_table(title, steps))
    if options.json:
        found = {"once": begin, "batch": batch, "validation": validation}
        machine = Machine.this().model_dump()
        options.json.write_text(json.dumps({**found, "about": about, "machine": machine}, indent=2))


def profile(path: Path, preset: PresetName, batches: int) -> tuple[Seconds, Seconds, Seconds, str]:
    """Return the seconds of the steps done once, of a batch's, and of a validation's."""
    tf.config.experimental.enable_op_determinism()  # as training does
    keras.utils.set_random_seed(0)
    request = JobRequest(preset=preset, evaluation="test_part")  # with a validation part
    marks = [time.monotonic()]
    dataset = load_dataset(path, request)
    marks.append(time.monotonic())
    examples = Examples.of(dataset)
    marks.append(time.monotonic())
    parameters, _ = choose_parameters(request)
    base = load_starter(preset)
    fitting = Fitting(dataset, examples, PRESETS[preset], parameters, base, Observer())
    marks.append(time.monotonic())
    names = ("check and split the set", "decode the images", "build the model")
    begin = {name: marks[i + 1] - marks[i] for i, name in enumerate(names)}
    steps = _batches(fitting, WARM_UP + batches)
    batch = {name: statistics.median(times[WARM_UP:]) for name, times in steps.items()}
    about = (
        f"Preset {preset}, {len(examples.train):,} images for training, "
        f"{len(examples.validation):,} for validation, batches of {parameters.batch_size}: an "
        f"epoch is {fitting.steps_per_epoch} batches and a validation."
    )
    return begin, batch, _validation(fitting), about


def _batches(fitting: Fitting, count: int) -> dict[str, list[float]]:
    """Return the seconds that each step adds to those before it, batch by batch."""
    steps = _compiled(fitting)
    times: dict[str, list[float]] = {
        name: [] for name in ("load the images", "standardise", *steps)
    }
    shown = _shown(fitting)
    for number in range(count):
        began = time.perf_counter()
        pixels, labels = next(shown)
        taken = time.perf_counter()
        images = to_batch(pixels, fitting.dataset.image)
        ready = time.perf_counter()
        times["load the images"].append(taken - began)
        times["standardise"].append(ready - taken)
        before = 0.0
        for name, step in steps.items():
            began = time.perf_counter()
            step(images, labels, np.array([0, number], np.int32)).numpy()
            took = time.perf_counter() - began
            times[name].append(took - before)
            before = took
    return times


def _shown(fitting: Fitting) -> Iterator[Batch]:
    for epoch in itertools.count():
        yield from fitting.examples.train.shuffled(fitting.parameters.batch_size, 0, epoch)


def _compiled(fitting: Fitting) -> dict[str, Callable[..., Any]]:
    """Return the steps as training compiles them, each including those before it."""
    model, strength = fitting.model, fitting.parameters.augmentation

    def vary(images: Any, seed: Any) -> Any:
        return augment(images, strength, seed) if strength else tf.identity(images)

    def loss(images: Any, labels: Any, seed: Any) -> Any:
        model([vary(images, seed), labels], training=True)
        return tf.add_n(model.losses)

    def gradients(images: Any, labels: Any, seed: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(images, labels, seed)
        return tape.gradient(value, model.trainable_variables)

    def update(images: Any, labels: Any, seed: Any) -> Any:
        fitting.optimizer.apply(gradients(images, labels, seed), model.trainable_variables)
        return fitting.optimizer.iterations.value

    return {
        "augmentation": tf.function(lambda p, _, s: vary(p, s)),
        "forward pass and CTC loss": tf.function(loss),
        # Summed, because TensorFlow drops gradients that are not used.
        "backward pass": tf.function(
            lambda *batch: tf.add_n([tf.reduce_sum(one) for one in gradients(*batch)])
        ),
        "update of the weights": tf.function(update),
    }


def _validation(fitting: Fitting) -> Seconds:
    pixels, labels = next(fitting.examples.validation.in_order(CHUNK))
    predict(fitting.inference_model, pixels, fitting.dataset.image)  # compiled
    marks = [time.perf_counter()]
    output = predict(fitting.inference_model, pixels, fitting.dataset.image)
    marks.append(time.perf_counter())
    for _ in decode(output, fitting.dataset.vocabulary):
        pass
    marks.append(time.perf_counter())
    for start in range(0, len(labels), BATCH):
        ctc_loss(labels[start : start + BATCH], output[start : start + BATCH]).numpy()
    marks.append(time.perf_counter())
    names = ("predict the images", "decode the texts", "CTC loss")
    return {name: marks[i + 1] - marks[i] for i, name in enumerate(names)}


def _table(title: str, steps: Seconds) -> Table:
    total = sum(steps.values())
    table = Table("step", "ms", "share", title=title)
    for name, seconds in steps.items():
        table.add_row(name, f"{1000 * seconds:.2f}", f"{seconds / total:.0%}")
    table.add_row("together", f"{1000 * total:.2f}", "")
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="conv")
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
