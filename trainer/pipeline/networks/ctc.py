"""The CTC loss as a layer, as in the Keras captcha tutorial."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

PADDING = -1
"""Fills the rest of shorter labels in a batch."""


def ctc_loss(labels: Any, probabilities: Any) -> Any:
    """Return the CTC loss of each image, float32 (N,), with true label lengths.

    labels: int32 (N, L), padded with PADDING, L at least 1; probabilities: softmax (N, T, classes),
    blank last.
    (Graves et al. 2006, section 4.)
    """
    # TensorFlow refuses a label without characters: such an image gets one for its sake, and its
    # loss is that of its only path, blanks alone.
    empty = tf.reduce_all(labels < 0, axis=1)
    placeholder = tf.one_hot(0, tf.shape(labels)[1], on_value=0, off_value=PADDING, dtype=tf.int32)
    labels = tf.where(empty[:, tf.newaxis], placeholder, labels)
    # Sparse labels, because keras.ops.ctc_loss takes TensorFlow's dense path, which is much slower.
    indices = tf.where(labels >= 0)
    sparse = tf.SparseTensor(
        indices, tf.gather_nd(labels, indices), tf.shape(labels, out_type=tf.int64)
    )
    shape = tf.shape(probabilities)
    logits = tf.math.log(tf.transpose(probabilities, (1, 0, 2)) + keras.config.epsilon())
    blanks = -tf.reduce_sum(tf.nn.log_softmax(logits)[:, :, -1], axis=0)
    losses = tf.nn.ctc_loss(
        labels=sparse,
        logits=logits,
        label_length=None,
        logit_length=tf.fill((shape[0],), shape[1]),
        logits_time_major=True,
        blank_index=-1,
    )
    return tf.where(empty, blanks, losses)


class CTCLayer(keras.layers.Layer):  # type: ignore[misc]
    """Adds the mean CTC loss over the batch's images and passes the predictions through."""

    def call(self, labels: Any, probabilities: Any) -> Any:
        """labels: int32 (N, L) padded with PADDING; probabilities: (N, T, classes)."""
        self.add_loss(ops.mean(ctc_loss(labels, probabilities)))
        return probabilities
