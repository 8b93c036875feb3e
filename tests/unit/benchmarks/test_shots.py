"""The benchmark of several shots counts and draws as it says."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.shots import Answers, disturbed


def test_errors_and_calibration_are_counted() -> None:
    answers = [(True, 0.95), (True, 0.97), (False, 0.96), (False, 0.25)]

    found = Answers.of("way", answers)

    assert (found.images, found.errors) == (4, 2)
    assert (found.sure, found.sure_errors) == (3, 1)
    assert found.mean_confidence == pytest.approx(0.7825)
    # In the bin above 0.9 two of three are right at 0.96; in the other none at 0.25.
    assert found.calibration_error == pytest.approx((3 * (0.96 - 2 / 3) + 0.25) / 4, abs=1e-4)


def test_an_image_is_disturbed_anew_each_time_and_the_same_for_a_seed() -> None:
    image = Image.fromarray(np.full((40, 120, 3), 90, dtype=np.uint8))
    rng = np.random.default_rng(1)

    first, second = disturbed(image, rng, 1.0), disturbed(image, rng, 1.0)
    again = disturbed(image, np.random.default_rng(1), 1.0)

    assert disturbed(image, rng, 0.0) is image
    assert first.size == second.size == image.size
    assert first.tobytes() == again.tobytes() != second.tobytes()
    near = disturbed(image, np.random.default_rng(1), 0.1)
    assert abs(np.asarray(near, float) - 90).mean() < abs(np.asarray(first, float) - 90).mean()
