"""The devices of training: the CPU, a GPU, or several GPUs that share every batch.

Imports TensorFlow.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from trainer.pipeline.networks.ctc import ctc_loss

BFLOAT16_SINCE = (8, 0)
"""Compute capability of the first GPUs with tensor cores for bfloat16 (Ampere)."""


@dataclass(frozen=True)
class Devices:
    """The devices of a training run, and their precision."""

    gpus: tuple[str, ...] = ()
    """Their names; empty for the CPU."""
    precision: str = "float32"
    """Keras dtype policy of the layers; variables, softmax and loss are float32 in any case."""
    strategy: tf.distribute.Strategy | None = None
    """Spreads each batch over several devices; None for one."""

    def __str__(self) -> str:
        if not self.gpus:
            return "on the CPU"
        count = "1 GPU" if len(self.gpus) == 1 else f"{len(self.gpus)} GPUs"
        return f"on {count} ({', '.join(self.gpus)}) in {self.precision.replace('_', ' ')}"

    @property
    def plain(self) -> bool:
        """Whether this is the CPU, in float32."""
        return self == CPU

    @property
    def replicas(self) -> int:
        """The number of devices that share a batch."""
        return 1 if self.strategy is None else self.strategy.num_replicas_in_sync

    @contextmanager
    def building(self) -> Iterator[None]:
        """Build the models and optimizers of a with block for these devices."""
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.precision)
        try:
            with self.strategy.scope() if self.strategy else nullcontext():
                yield
        finally:
            keras.config.set_dtype_policy(policy)


CPU = Devices()


def find_devices() -> Devices:
    """Return every GPU that TensorFlow sees, else the CPU."""
    details = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    if not details:
        return CPU
    capable = all(gpu.get("compute_capability", (0, 0)) >= BFLOAT16_SINCE for gpu in details)
    return Devices(
        gpus=tuple(gpu.get("device_name", "unnamed") for gpu in details),
        precision="mixed_bfloat16" if capable else "float32",
        strategy=tf.distribute.MirroredStrategy() if len(details) > 1 else None,
    )


def share_statistics(model: Any, optimizer: Any, replicas: int) -> None:
    """Make replicas that each take a part of a batch learn like one that takes all of it."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
    # Keras clips each replica's gradients before it sums them, so each gets a share of the norm.
    if optimizer.clipnorm is not None:
        optimizer.clipnorm /= replicas


def learn_part(model: Any, optimizer: Any, inputs: Any, labels: Any) -> Any:
    """Train on this replica's part of a batch; return its share of the mean loss."""
    replica = tf.distribute.get_replica_context()
    images = tf.shape(inputs)[0]
    start, stop = (
        images * (replica.replica_id_in_sync_group + end) // replica.num_replicas_in_sync
        for end in (0, 1)
    )
    # A replica without images of a small batch takes one with weight 0: all replicas must take
    # part in the synchronized batch normalisation.
    part = slice(start, tf.maximum(stop, start + 1))
    share = tf.cast(stop - start, tf.float32) / tf.cast(images, tf.float32)
    with tf.GradientTape() as tape:
        # Not model.losses: replicas trace in turns and share that list.
        output = model([inputs[part], labels[part]], training=True)
        loss = share * tf.reduce_mean(ctc_loss(labels[part], output))
    variables = model.trainable_variables
    # The mean, because the optimizer sums the gradients of all replicas again.
    gradients = replica.all_reduce(tf.distribute.ReduceOp.MEAN, tape.gradient(loss, variables))
    optimizer.apply(gradients, variables)
    return loss
