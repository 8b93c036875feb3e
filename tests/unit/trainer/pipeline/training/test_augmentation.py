import numpy as np
import pytest
import tensorflow as tf

from trainer.pipeline.training.augmentation import _blurred, augment


def varied(images: np.ndarray, seed: int, strength: float = 1.0) -> np.ndarray:
    return np.asarray(augment(images, strength, np.array([seed, 0], np.int32)))


def test_equal_seeds_vary_equally_and_every_image_otherwise() -> None:
    images = np.random.default_rng(0).normal(size=(1, 48, 96, 1)).astype(np.float32)
    images = images.repeat(2, axis=0)
    once, again, other = varied(images, 1), varied(images, 1), varied(images, 2)
    assert np.array_equal(once, again)
    assert not np.allclose(once, other)
    assert not np.allclose(once[0], once[1])


def test_no_strength_moves_nothing() -> None:
    images = np.random.default_rng(0).normal(size=(4, 48, 96, 3)).astype(np.float32)
    assert np.allclose(varied(images, 0, 0.0), images, atol=1e-4)


@pytest.mark.parametrize("width", [96, 192, 960])
def test_the_ends_of_a_line_stay_in_the_image_however_long_it_is(width: int) -> None:
    images = np.zeros((200, 48, width, 1), np.float32)
    margin = width // 8 if width <= 192 else 24
    for x in (margin, width - margin):
        images[:, 20:28, x - 4 : x + 4] = 8.0
    found = varied(images, 0).max(axis=1)[..., 0]
    ends = found[:, : width // 2].max(axis=1), found[:, width // 2 :].max(axis=1)
    assert min(end.min() for end in ends) > 4


def test_blurring_is_the_mean_over_neighbours() -> None:
    images = np.random.default_rng(0).normal(size=(2, 9, 11, 3)).astype(np.float32)
    pooled = tf.nn.avg_pool2d(images, 3, 1, "VALID")
    assert np.allclose(_blurred(images)[:, 1:-1, 1:-1], pooled, atol=1e-5)
