"""Fused batch normalisation trains as Keras's own does."""

import keras
import numpy as np
import pytest

from shared.recognition.image_spec import ImageSpec
from trainer.pipeline.networks.normalization import FusedNormalization, with_fused_normalization
from trainer.pipeline.networks.presets import PRESETS

SPEC = ImageSpec(height=48, width=96, channels=1, resize="stretch", standardize=True)


def test_it_gives_the_same_outputs_and_statistics() -> None:
    own = PRESETS["conv"].build_model(SPEC, 12)
    fused = with_fused_normalization(own)
    fused.set_weights(own.get_weights())
    assert any(isinstance(layer, FusedNormalization) for layer in fused.layers)
    chance = np.random.default_rng(0)
    images = chance.normal(1, 2, (16, 48, 96, 1)).astype(np.float32)
    labels = chance.integers(0, 11, (16, 4)).astype(np.int32)
    for training in (True, False):
        keras.utils.set_random_seed(1)  # of the dropout
        first = own([images, labels], training=training).numpy()
        keras.utils.set_random_seed(1)
        second = fused([images, labels], training=training).numpy()
        if not training:
            assert second == pytest.approx(first, abs=2e-3)
    for layer in own.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            mean, variance = layer.get_weights()[2:]
            fused_mean, fused_variance = fused.get_layer(layer.name).get_weights()[2:]
            assert fused_mean == pytest.approx(mean, abs=1e-4)
            assert fused_variance == pytest.approx(variance, rel=1e-2)
