"""Varies training pictures a little: affine, contrast, brightness, noise. Imports TensorFlow."""

from typing import Any

import tensorflow as tf


def augment(pictures: Any, strength: float, seed: Any) -> Any:
    """Return varied copies of standardised pictures, float32 (N, H, W, C).

    strength: 1 for the usual variation. seed: int32 (2,); equal seeds give equal pictures.
    """
    count, height, width = (tf.shape(pictures)[axis] for axis in range(3))
    draw = _Draws(count, seed)
    transforms = _affine(draw, strength, tf.cast(height, tf.float32), tf.cast(width, tf.float32))
    pictures = tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=transforms,
        output_shape=(height, width),
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )
    contrast = _per_picture(draw(1 - 0.2 * strength, 1 + 0.2 * strength))
    brightness = _per_picture(draw(-0.2 * strength, 0.2 * strength))
    noise = tf.random.stateless_normal(tf.shape(pictures), seed)
    return pictures * contrast + brightness + noise * _per_picture(draw(0.0, 0.15 * strength))


class _Draws:
    """Uniform numbers, one per picture; every call gives new ones."""

    def __init__(self, count: Any, seed: Any) -> None:
        self._count = count
        self._seed = seed
        self._calls = 0

    def __call__(self, low: float, high: float) -> Any:
        self._calls += 1
        seed = self._seed + tf.constant([0, self._calls * 1_000_003], tf.int32)
        return tf.random.stateless_uniform((self._count,), seed, low, high)


def _affine(draw: _Draws, strength: float, height: Any, width: Any) -> Any:
    """Rows of the projective transform, float32 (N, 8): turn, scale, shear and shift."""
    angle, shear = draw(-0.05 * strength, 0.05 * strength), draw(-0.1 * strength, 0.1 * strength)
    scale_x = draw(1 - 0.08 * strength, 1 + 0.08 * strength)
    scale_y = draw(1 - 0.08 * strength, 1 + 0.08 * strength)
    xx, xy = scale_x * tf.cos(angle), shear - tf.sin(angle)
    yx, yy = tf.sin(angle), scale_y * tf.cos(angle)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    shift_x = middle_x + draw(-0.02, 0.02) * strength * width - xx * middle_x - xy * middle_y
    shift_y = middle_y + draw(-0.06, 0.06) * strength * height - yx * middle_x - yy * middle_y
    zero = tf.zeros_like(angle)
    return tf.stack([xx, xy, shift_x, yx, yy, shift_y, zero, zero], axis=1)


def _per_picture(values: Any) -> Any:
    return tf.reshape(values, (-1, 1, 1, 1))
