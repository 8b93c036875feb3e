"""Makes the starter: `python -m trainer.pipeline.starter` (or `make starter`).

Draws texts in the fonts of installed packages, trains the conv preset on them and publishes the
result into the package.
"""

import argparse
import shutil
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.recognition.decoding import decode
from shared.recognition.preprocessing import normalize
from shared.recognition.scoring import Score
from shared.store.builtin import STARTER, builtin_store
from trainer.pipeline.networks.inference import predict
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.starter.drawn_set import SPEC, VOCABULARY, DrawnSet, draw
from trainer.pipeline.starter.publish import publish, texts_of
from trainer.pipeline.training.augmentation import augment

CHECK_IMAGES = 2000


def batches(size: int, batch: int, epoch: int) -> Iterator[NDArray[np.intp]]:
    """Yield full batches of a shuffled epoch."""
    order = np.random.default_rng(epoch).permutation(size)
    for start in range(0, size - batch + 1, batch):
        yield order[start : start + batch]


def train(drawn: DrawnSet, checked: DrawnSet, epochs: int, batch: int, learning_rate: float) -> Any:
    """Train the conv preset; print loss and exact match of each epoch."""
    preset = PRESETS["conv"]
    model = preset.build_model(SPEC, VOCABULARY.classes)
    inference_model = keras.Model(model.inputs[0], model.get_layer("ctc_loss").input[1])
    optimizer = preset.make_optimizer(learning_rate)
    optimizer.build(model.trainable_variables)

    def train_step(images: Any, labels: Any, seed: Any) -> Any:
        images = augment(images, 0.5, seed)
        with tf.GradientTape() as tape:
            model([images, labels], training=True)
            loss = tf.add_n(model.losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    step = tf.function(train_step)
    pixels, labels = drawn
    steps = epochs * (len(pixels) // batch)
    index, started = 0, time.monotonic()
    for epoch in range(epochs):
        losses = []
        for chosen in batches(len(pixels), batch, epoch):
            optimizer.learning_rate.assign(learning_rate * preset.schedule(index / steps))
            images = normalize(pixels[chosen], SPEC)
            losses.append(float(step(images, labels[chosen], np.array([1, index], np.int32))))
            index += 1
        print(  # noqa: T201 - a command
            f"epoch {epoch + 1}/{epochs} loss {np.mean(losses):.3f} "
            f"exact match {exact_match(inference_model, checked):.3f} "
            f"{time.monotonic() - started:.0f} s",
            flush=True,
        )
    return inference_model


def exact_match(inference_model: Any, checked: DrawnSet) -> float:
    """Return the share of images whose whole text is correct."""
    pixels, labels = checked
    predictions = decode(predict(inference_model, pixels, SPEC), VOCABULARY)
    pairs = zip(texts_of(labels), predictions, strict=True)
    return Score.of((truth, prediction.text) for truth, prediction in pairs).exact_match


def main() -> None:
    """Draw, train, publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    started = time.monotonic()
    pixels, labels = draw(arguments.images + CHECK_IMAGES)
    print(f"{len(pixels)} images drawn, {time.monotonic() - started:.0f} s", flush=True)  # noqa: T201
    checked = pixels[:CHECK_IMAGES], labels[:CHECK_IMAGES]
    started = time.monotonic()
    inference_model = train(
        (pixels[CHECK_IMAGES:], labels[CHECK_IMAGES:]),
        checked,
        arguments.epochs,
        arguments.batch,
        arguments.learning_rate,
    )
    shutil.rmtree(builtin_store().root / STARTER, ignore_errors=True)
    publish(inference_model, checked, vars(arguments), time.monotonic() - started)


if __name__ == "__main__":
    main()
