"""What a model is trained on: the CPU, a GPU, or several that share every batch, on any hosts.

Imports TensorFlow.
"""

import hashlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import tensorflow as tf

from shared.errors import ReadsmithError
from trainer.pipeline.networks.ctc import ctc_loss
from trainer.process_group import ProcessGroup

BFLOAT16_SINCE = (8, 0)
"""Compute capability of the first GPUs whose tensor cores take bfloat16."""


@dataclass(frozen=True)
class Devices:
    """The devices of a training run, and how they calculate."""

    gpus: tuple[str, ...] = ()
    """Their names; none for the CPU."""
    precision: str = "float32"
    """Keras dtype policy of the layers; variables, softmax and loss are float32 in any case."""
    strategy: tf.distribute.Strategy | None = None
    """Spreads each batch over several devices; None for one."""
    processes: int = 1
    """How many processes train together, each on devices like these."""

    def __str__(self) -> str:
        shared = f", in {self.processes} processes" if self.processes > 1 else ""
        if not self.gpus:
            return f"on the CPU{shared}"
        count = "1 GPU" if len(self.gpus) == 1 else f"{len(self.gpus)} GPUs"
        kind = self.precision.replace("_", " ")
        return f"on {count} ({', '.join(self.gpus)}) in {kind}{shared}"

    @property
    def plain(self) -> bool:
        """True if the trained model can be read with and exported as it is."""
        return self == CPU

    @property
    def replicas(self) -> int:
        """How many devices share a batch."""
        return 1 if self.strategy is None else self.strategy.num_replicas_in_sync

    def agree(self, *values: float) -> list[float]:
        """Return the mean of each value over all processes, so that all decide alike."""
        if self.strategy is None or self.processes == 1:
            return list(values)
        means = _mean_over(self.strategy)(tf.constant(values, tf.float64))
        return [float(value) for value in means]

    @contextmanager
    def building(self) -> Iterator[None]:
        """Make the models and optimizers that are built inside belong to these devices."""
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.precision)
        try:
            with self.strategy.scope() if self.strategy else nullcontext():
                yield
        finally:
            keras.config.set_dtype_policy(policy)


@cache
def _mean_over(strategy: tf.distribute.Strategy) -> Any:
    """Return the function that gives the mean of its argument over all devices."""
    return tf.function(
        lambda values: strategy.reduce("MEAN", strategy.run(tf.identity, (values,)), axis=None)
    )


CPU = Devices()


def find_devices(group: ProcessGroup | None = None) -> Devices:
    """Return every GPU that TensorFlow sees, else the CPU.

    group: the processes to train with, which are waited for.
    """
    details = [
        tf.config.experimental.get_device_details(gpu)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    if not details and group is None:
        return CPU
    capable = all(gpu.get("compute_capability", (0, 0)) >= BFLOAT16_SINCE for gpu in details)
    return Devices(
        gpus=tuple(gpu.get("device_name", "unnamed") for gpu in details),
        precision="mixed_bfloat16" if details and capable else "float32",
        strategy=_strategy(len(details), group),
        processes=group.size if group else 1,
    )


def _strategy(gpus: int, group: ProcessGroup | None) -> tf.distribute.Strategy | None:
    if group is not None:
        usual = signal.signal(signal.SIGINT, signal.SIG_DFL)  # TensorFlow waits outside of Python
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        finally:
            signal.signal(signal.SIGINT, usual)
    return tf.distribute.MirroredStrategy() if gpus > 1 else None


def require_alike(devices: Devices, run: str) -> None:
    """Raise ReadsmithError processes_differ unless all processes have the same run before them."""
    own = float(int.from_bytes(hashlib.sha256(run.encode()).digest()[:6]))  # exact in a float64
    if devices.agree(own) != [own]:
        raise ReadsmithError(
            "processes_differ",
            "The processes do not train on the same pictures, or not with the same options.",
            "Give each the same command and the same files.",
        )


@contextmanager
def noticing_loss(group: ProcessGroup | None) -> Iterator[None]:
    """Raise ReadsmithError process_lost where a process of the group is not there any more."""
    try:
        yield
    except (tf.errors.OpError, RuntimeError) as error:
        if group is None or isinstance(error, tf.errors.ResourceExhaustedError):
            raise
        raise ReadsmithError(
            "process_lost",
            "Another process of this training cannot be reached any more.",
            "Start all of them again.",
        ) from error


def share_statistics(model: Any, optimizer: Any, replicas: int) -> None:
    """Make replicas that each see a part of a batch learn as one that sees all of it.

    Keras clips gradients before it sums them over the replicas, so each may only keep its share.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
    if optimizer.clipnorm is not None:
        optimizer.clipnorm /= replicas


def learn_part(model: Any, optimizer: Any, pictures: Any, labels: Any) -> Any:
    """Take this replica's part in the step for a whole batch; return its part of the mean loss.

    A batch with fewer images than replicas is short for some: those look at one without weight.
    """
    replica = tf.distribute.get_replica_context()
    images = tf.shape(pictures)[0]
    start, stop = (
        images * (replica.replica_id_in_sync_group + end) // replica.num_replicas_in_sync
        for end in (0, 1)
    )
    part = slice(start, tf.maximum(stop, start + 1))
    share = tf.cast(stop - start, tf.float32) / tf.cast(images, tf.float32)
    with tf.GradientTape() as tape:
        # Not model.losses: replicas trace in turns, and that list is one for all.
        output = model([pictures[part], labels[part]], training=True)
        loss = share * tf.reduce_mean(ctc_loss(labels[part], output))
    variables = model.trainable_variables
    # The mean, because the optimizer sums what all replicas hand it.
    gradients = replica.all_reduce(tf.distribute.ReduceOp.MEAN, tape.gradient(loss, variables))
    optimizer.apply(gradients, variables)
    return loss
