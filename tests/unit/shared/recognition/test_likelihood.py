"""The probability of a text over all of its paths."""

from itertools import groupby, product

import numpy as np
import pytest

from shared.recognition.likelihood import IMPOSSIBLE, log_likelihoods


def summed(probabilities: np.ndarray, text: tuple[int, ...]) -> float:
    """Add up all paths of one image, one by one."""
    steps, classes = probabilities.shape
    total = 0.0
    for path in product(range(classes), repeat=steps):
        spelled = tuple(each for each, _ in groupby(path) if each != classes - 1)
        if spelled == text:
            total += float(np.prod(probabilities[range(steps), path]))
    return total


def softmax(images: int, steps: int, classes: int) -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.ones(classes), (images, steps)).astype(np.float32)


@pytest.mark.parametrize("text", [(), (0,), (1, 0), (0, 0), (0, 1, 0), (1, 1, 1)])
def test_it_is_the_sum_over_all_paths(text: tuple[int, ...]) -> None:
    probabilities = softmax(1, 5, 3)
    [found] = log_likelihoods(probabilities, [text])
    assert np.exp(found) == pytest.approx(summed(probabilities[0], text), rel=1e-5)


def test_each_image_has_its_own_text_of_its_own_length() -> None:
    probabilities = softmax(4, 4, 3)
    texts = [(0, 1), (), (1,), (0, 1, 0, 1)]
    found = np.exp(log_likelihoods(probabilities, texts))
    wanted = [summed(each, text) for each, text in zip(probabilities, texts, strict=True)]
    assert found == pytest.approx(wanted, rel=1e-5)


def test_a_text_that_is_too_long_for_the_steps_has_no_probability() -> None:
    [found] = log_likelihoods(softmax(1, 3, 3), [(0, 0, 1)])
    assert found <= IMPOSSIBLE / 2
