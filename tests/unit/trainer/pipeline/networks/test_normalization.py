"""Fused batch normalisation trains as Keras's own does."""

import keras
import numpy as np
import pytest

from shared.recognition.image_spec import ImageSpec
from trainer.pipeline.networks.normalization import FusedNormalization, fuse_normalization
from trainer.pipeline.networks.presets import PRESETS

SPEC = ImageSpec(height=48, width=96, channels=1, resize="stretch", standardize=True)


def test_it_gives_the_same_statistics_and_predictions() -> None:
    own = PRESETS["conv"].build_model(SPEC, 12)
    fused = PRESETS["conv"].build_model(SPEC, 12)
    fused.set_weights(own.get_weights())
    fuse_normalization(fused)
    assert any(isinstance(layer, FusedNormalization) for layer in fused.layers)
    chance = np.random.default_rng(0)
    images = chance.normal(1, 2, (16, 48, 96, 1)).astype(np.float32)
    labels = chance.integers(0, 11, (16, 4)).astype(np.int32)
    own([images, labels], training=True)
    fused([images, labels], training=True)
    for layer in own.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            mean, variance = layer.get_weights()[2:]
            fused_mean, fused_variance = fused.get_layer(layer.name).get_weights()[2:]
            assert fused_mean == pytest.approx(mean, abs=1e-4)
            assert fused_variance == pytest.approx(variance, rel=1e-3)
    predicted = own([images, labels], training=False).numpy()
    assert fused([images, labels], training=False).numpy() == pytest.approx(predicted, abs=1e-4)


def test_it_learns_the_same() -> None:
    losses = []
    for fuse in (False, True):
        keras.utils.set_random_seed(3)
        model = PRESETS["conv"].build_model(SPEC, 12)
        if fuse:
            fuse_normalization(model)
        model.compile(PRESETS["conv"].make_optimizer(0.002))
        chance = np.random.default_rng(0)
        images = chance.normal(0, 1, (8, 48, 96, 1)).astype(np.float32)
        labels = chance.integers(0, 11, (8, 4)).astype(np.int32)
        losses.append([float(model.train_on_batch([images, labels])) for _ in range(4)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert losses[0][-1] < losses[0][0]
