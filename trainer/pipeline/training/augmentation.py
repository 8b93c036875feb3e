"""Augments training images with the variations of cameras and printers. Imports TensorFlow.

Perspective, tilt, slant, size and position; blur, contrast, brightness and noise. The ends of a
long line move no further than those of a short one: that would cut characters off.
"""

from typing import Any

import tensorflow as tf

SHORT_LINE = 4.0
"""Width over height up to which the ends of a line move in proportion to the width."""


def augment(images: Any, strength: float, seed: Any) -> Any:
    """Return augmented copies of standardised images, float32 (N, H, W, C).

    strength: 1 for the usual variation. seed: int32 (2,); equal seeds give equal images.
    """
    count, height, width = (tf.shape(images)[axis] for axis in range(3))
    draw = _Draws(count, strength, seed)
    images = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=_transforms(draw, tf.cast(height, tf.float32), tf.cast(width, tf.float32)),
        output_shape=(height, width),
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )
    # A little less than half of the images are blurred.
    blur = tf.clip_by_value(2 * draw(0.9) - 0.1, 0.0, 1.0)
    images += (_blurred(images) - images) * _per_image(blur)
    # Stateless: a resumed run repeats the augmentation of an uninterrupted one.
    noise = tf.random.stateless_normal(tf.shape(images), seed)
    contrast, brightness, grain = 1 + draw(0.32), draw(0.32), tf.abs(draw(0.24))
    return images * _per_image(contrast) + _per_image(brightness) + noise * _per_image(grain)


class _Draws:
    """Uniform random numbers around 0, one per image; every call returns new ones."""

    def __init__(self, count: Any, strength: float, seed: Any) -> None:
        self._count = count
        self._strength = strength
        self._seed = seed
        self._calls = 0

    def __call__(self, spread: float) -> Any:
        self._calls += 1
        seed = self._seed + tf.constant([0, self._calls * 1_000_003], tf.int32)
        high = spread * self._strength
        return tf.random.stateless_uniform((self._count,), seed, -high, high)


def _transforms(draw: _Draws, height: Any, width: Any) -> Any:
    """Return projective transforms about the centre of the image, float32 (N, 8)."""
    reach = tf.minimum(1.0, SHORT_LINE * height / width)
    size_x, size_y = 1 + draw(0.13) * reach, 1 + draw(0.13)
    slant, tilt = draw(0.2), draw(0.125) * reach
    shift_x, shift_y = draw(0.12) * height, draw(0.1) * height
    towards_x, towards_y = draw(0.24) * reach / width, draw(0.12) / height
    ones, zeros = tf.ones_like(slant), tf.zeros_like(slant)
    about_middle = _matrices(
        size_x, slant, shift_x, tilt, size_y, shift_y, towards_x, towards_y, ones
    )
    x, y = (width - 1) / 2 * ones, (height - 1) / 2 * ones
    to_middle = _matrices(ones, zeros, -x, zeros, ones, -y, zeros, zeros, ones)
    back = _matrices(ones, zeros, x, zeros, ones, y, zeros, zeros, ones)
    whole = tf.matmul(tf.matmul(back, about_middle), to_middle)
    return tf.reshape(whole / whole[:, 2:, 2:], (-1, 9))[:, :8]


def _matrices(*entries: Any) -> Any:
    """Stack nine vectors (N,) into matrices (N, 3, 3), row by row."""
    return tf.reshape(tf.stack(entries, axis=1), (-1, 3, 3))


def _blurred(images: Any) -> Any:
    """Return the mean over 3x3 pixels."""
    # Sums of shifted copies are eight times faster on a CPU than average pooling.
    wider = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    rows = wider[:, :-2] + wider[:, 1:-1] + wider[:, 2:]
    return (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9


def _per_image(values: Any) -> Any:
    return tf.reshape(values, (-1, 1, 1, 1))
