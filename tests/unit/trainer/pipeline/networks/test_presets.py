import itertools

import keras
import numpy as np
import pytest

from shared.recognition.image_spec import ImageSpec
from trainer.pipeline.datasets.inputs.image_spec import time_steps
from trainer.pipeline.networks.ctc import PADDING, ctc_loss
from trainer.pipeline.networks.presets import PRESETS

SPEC = ImageSpec(height=50, width=200, channels=1, resize="stretch", standardize=True)


def probability(path_probabilities: np.ndarray, label: tuple[int, ...], blank: int) -> float:
    """Sum over all paths that read as the label: CTC by its definition."""
    steps, classes = path_probabilities.shape
    total = 0.0
    for path in itertools.product(range(classes), repeat=steps):
        merged = [key for key, _ in itertools.groupby(path) if key != blank]
        if tuple(merged) == label:
            total += float(np.prod([path_probabilities[t, c] for t, c in enumerate(path)]))
    return total


def test_the_ctc_loss_is_the_sum_over_all_paths_with_true_lengths() -> None:
    chance = np.random.default_rng(0)
    probabilities = chance.dirichlet(np.ones(3), size=(3, 4)).astype(np.float32)
    labels = np.array([[0, 1, 1], [1, PADDING, PADDING], [0, 0, PADDING]], np.int32)
    losses = np.array(ctc_loss(labels, probabilities))
    for row, path_probabilities, loss in zip(labels, probabilities, losses, strict=True):
        label = tuple(int(c) for c in row if c != PADDING)
        expected = -np.log(probability(path_probabilities, label, blank=2))
        assert loss == pytest.approx(expected, rel=1e-4)


def test_crnn_is_the_seed_architecture_to_the_letter() -> None:
    model = PRESETS["crnn"].build_model(SPEC, 21)
    kinds = [type(layer).__name__ for layer in model.layers if layer.name != "label"]
    assert kinds == [
        "InputLayer",
        "Permute",
        "Conv2D",
        "MaxPooling2D",
        "Conv2D",
        "MaxPooling2D",
        "Reshape",
        "Dense",
        "Dropout",
        "Bidirectional",
        "Bidirectional",
        "Dense",
        "CTCLayer",
    ]
    assert [layer.name for layer in model.inputs] == ["image", "label"]
    convolutions = (9 * 1 + 1) * 32 + (9 * 32 + 1) * 64
    lstms = 2 * 4 * 128 * (64 + 128 + 1) + 2 * 4 * 64 * (256 + 64 + 1)
    dense = (12 * 64 + 1) * 64 + (128 + 1) * 21
    assert model.count_params() == convolutions + lstms + dense


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("size", [(50, 200), (32, 80), (33, 44), (17, 16)])
def test_every_preset_has_the_promised_time_steps(preset: str, size: tuple[int, int]) -> None:
    spec = SPEC.model_copy(update={"height": size[0], "width": size[1]})
    model = PRESETS[preset].build_model(spec, 5)  # type: ignore[index]
    assert model.output_shape[1:] == (time_steps(spec), 5)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_the_loss_layer_passes_probabilities_through_and_adds_their_mean_loss(preset: str) -> None:
    model = PRESETS[preset].build_model(SPEC, 4)  # type: ignore[index]
    images = np.random.default_rng(0).normal(size=(2, *SPEC.shape)).astype(np.float32)
    labels = np.array([[0, 1, 2], [2, PADDING, PADDING]], np.int32)
    output = np.array(model([images, labels], training=False))
    assert output.sum(axis=2) == pytest.approx(1, abs=1e-4)
    expected = float(keras.ops.mean(ctc_loss(labels, output)))
    assert float(model.losses[0]) == pytest.approx(expected, rel=1e-4)
