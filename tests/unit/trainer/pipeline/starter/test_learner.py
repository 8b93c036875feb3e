import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.recognition.vocabulary import Vocabulary
from trainer.pipeline.networks.normalization import FusedNormalization
from trainer.pipeline.starter.batches import Drawings
from trainer.pipeline.starter.learner import MOMENTUM, Learner, exported
from trainer.pipeline.starter.shapes import HEIGHTS

VOCABULARY = Vocabulary("abc")
CLASSES = ((0, 1), (2,), (), (1, 1))


def batch(height: int, seed: int = 0) -> Drawings:
    chance = np.random.default_rng(seed)
    return Drawings(chance.integers(0, 256, (4, height, 64, 1), np.uint8), CLASSES)


@pytest.fixture(scope="module")
def learner() -> Learner:
    keras.utils.set_random_seed(0)
    return Learner("conv", VOCABULARY)


def fold(learner: Learner) -> NDArray[np.float32]:
    kernel: NDArray[np.float32] = learner.model.get_layer("mix_conv").get_weights()[0]
    return kernel


@pytest.mark.parametrize("height", HEIGHTS)
def test_images_of_every_height_train_the_same_weights(learner: Learner, height: int) -> None:
    before = fold(learner)
    losses = [learner.step(batch(height), 1.0) for _ in range(8)]
    assert fold(learner).shape == before.shape
    assert np.abs(fold(learner) - before).max() > 1e-4
    assert losses[-1] < losses[0]


def test_the_fused_normalisation_is_that_of_keras() -> None:
    chance = np.random.default_rng(1)
    images = chance.normal(3, 2, (4, 6, 5, 7)).astype(np.float32)
    ours, theirs = FusedNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    for _ in range(3):
        expected, found = theirs(images, training=True), ours(images, training=True)
        assert np.allclose(found, expected, atol=1e-4)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        # Theirs is the variance of the batch, ours the estimate of that of all: n / (n - 1).
        assert np.allclose(mine, other, rtol=0.01, atol=1e-4)
    assert np.allclose(ours(images, training=False), theirs(images, training=False), atol=0.02)


def test_what_is_exported_predicts_as_the_network_in_training(learner: Learner) -> None:
    images = np.random.default_rng(2).normal(size=(2, HEIGHTS[0], 96, 1)).astype(np.float32)
    model = exported(learner)
    expected = np.array(learner.reader(images, training=False))
    assert np.allclose(model(images, training=False), expected, atol=1e-4)
    norms = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]
    assert {type(one) for one in norms} == {keras.layers.BatchNormalization}
    assert all(one.momentum != MOMENTUM for one in norms)
