"""Trains the detector. Imports TensorFlow."""

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.recognition.lines.detection import to_input
from shared.recognition.lines.spec import DetectorSpec
from trainer.pipeline.detection.views import Photograph, draw_view
from trainer.pipeline.networks.detector import build_detector
from trainer.schemas.progress import Observer

STEPS = 600
"""Batches; from 300 photographs, more found no more lines."""
BATCH = 16
RATE, WARM_UP = 2e-3, 50
WEIGHT_DECAY = 1e-4
SPREAD = 0.9
"""Cells; the deviation of a corner's target around its place."""
PLACE_WEIGHT = 0.15
"""Of the distance between the mean place of a map and the corner, in cells, beside the entropy."""
FAR = 10.0
"""Cells; a corner that is farther off counts as being so far."""
TINY = 1e-9
"""Stands for 0 in a logarithm or a division."""
TIMED_FROM = 5
"""The steps before it are slower: they compile."""
TOLD = 100
"""Steps between two events."""
HURRIED = 150
"""Steps that are left where training is to end soon."""


def learn(
    examples: Sequence[Photograph],
    spec: DetectorSpec,
    seed: int,
    observer: Observer,
    seconds: float,
) -> Any:
    """Return a detector, a Keras model, that has learned from photographs.

    seconds: how long it may take at most. Raises CancelledRunError.
    """
    keras.utils.set_random_seed(seed)
    model = build_detector(spec)
    optimizer = keras.optimizers.AdamW(RATE, weight_decay=WEIGHT_DECAY, clipnorm=1.0)
    optimizer.build(model.trainable_variables)
    step = tf.function(lambda views, corners: _step(model, optimizer, views, corners))
    begun, steps, losses = time.monotonic(), STEPS, []
    for number, (views, corners) in enumerate(_batches(examples, spec, seed)):
        observer.checkpoint()
        if number == TIMED_FROM:
            timed = time.monotonic()
        if observer.finishing():
            steps = min(steps, number + HURRIED)
        last = steps
        if number > WARM_UP:
            pace = (time.monotonic() - timed) / (number - TIMED_FROM)
            left = seconds - (time.monotonic() - begun)
            last = min(steps, number + max(0, int(left / pace)))
        if number >= last:
            break
        optimizer.learning_rate.assign(_rate(number, last))
        losses.append(step(to_input(views), corners))
        if number % TOLD == TOLD - 1:
            loss = float(np.mean([float(each) for each in losses[-TOLD:]]))
            message = f"The detector has learned for {number + 1} of {last} steps, loss {loss:.2f}."
            observer.event("detector", message, {"step": number + 1, "steps": last, "loss": loss})
    return model


def _rate(step: int, last: int) -> float:
    """Return the learning rate: a rise, then half a cosine."""
    rise = min(1.0, (step + 1) / WARM_UP)
    return RATE * rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / last)))


def _step(model: Any, optimizer: Any, views: Any, corners: Any) -> Any:
    with tf.GradientTape() as tape:
        loss = detector_loss(model(views, training=True), corners)
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss


def detector_loss(answers: Any, corners: Any) -> Any:
    """Return the mean loss of answers (N, 4, cells * cells + 1).

    The cross entropy with a Gaussian around each corner's place, and the distance between it and
    the mean place. corners: in cells (N, 4, 2); NaN for those that are nowhere.
    """
    cells = math.isqrt(int(answers.shape[2]) - 1)
    centres = tf.range(cells, dtype=tf.float32) + 0.5
    here = tf.math.is_finite(corners)
    places = tf.where(here, corners, 0.0)
    here = tf.cast(tf.reduce_all(here, axis=2), tf.float32)
    across = tf.exp(-tf.square((centres - places[..., 0:1]) / SPREAD) / 2)
    down = tf.exp(-tf.square((centres - places[..., 1:2]) / SPREAD) / 2)
    target = down[..., :, tf.newaxis] * across[..., tf.newaxis, :]
    target /= tf.maximum(tf.reduce_sum(target, axis=(2, 3), keepdims=True), TINY)
    maps = tf.reshape(answers[..., :-1], (-1, 4, cells, cells))
    entropy = -tf.reduce_sum(target * tf.math.log(tf.maximum(maps, TINY)), axis=(2, 3))
    total = tf.maximum(tf.reduce_sum(maps, axis=(2, 3)), TINY)
    x = tf.reduce_sum(maps * centres, axis=(2, 3)) / total
    y = tf.reduce_sum(maps * centres[:, tf.newaxis], axis=(2, 3)) / total
    apart = tf.abs(x - places[..., 0]) + tf.abs(y - places[..., 1])
    found = entropy + PLACE_WEIGHT * tf.minimum(apart, FAR)
    nowhere = -tf.math.log(tf.maximum(answers[..., -1], TINY))
    return tf.reduce_mean(here * found + (1 - here) * nowhere)


def _batches(
    examples: Sequence[Photograph], spec: DetectorSpec, seed: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Yield views (N, side, side, 3) and corners (N, 4, 2) in cells, without end."""
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(_batch, examples, spec, seed, 0)
        number = 1
        while True:
            batch = coming.result()
            coming = ahead.submit(_batch, examples, spec, seed, number)
            number += 1
            yield batch


def _batch(
    examples: Sequence[Photograph], spec: DetectorSpec, seed: int, number: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    chance = np.random.default_rng((seed, number))
    drawn = [
        draw_view(examples[index], spec.side, chance)
        for index in chance.integers(0, len(examples), BATCH)
    ]
    views, corners = zip(*drawn, strict=True)
    return np.stack(views), np.stack(corners) * np.float32(spec.cells / spec.side)
