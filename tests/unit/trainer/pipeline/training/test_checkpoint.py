from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trainer.pipeline.training.checkpoint import State, load, save
from trainer.pipeline.training.results import Validation
from trainer.pipeline.training.schedule import Decay

GOOD = Validation(exact_match=0.9, loss=0.3, cer=0.02, all_empty=False)
BETTER = replace(GOOD, exact_match=1.0, loss=0.1, cer=0.0)


def best_of(*validations: Validation) -> int:
    """Return which of them has the weights that are used."""
    state = State(weights=[], best_weights=[])
    for number, validation in enumerate(validations):
        state.record(validation, [np.array(number)])
    return int(state.best_weights[0])


def test_the_best_validation_has_the_weights_of_equals_the_last() -> None:
    assert best_of(GOOD, BETTER, GOOD) == 1
    assert best_of(GOOD, BETTER, BETTER, GOOD) == 2


def test_once_the_rate_falls_earlier_validations_no_longer_count() -> None:
    falling = replace(GOOD, decaying=True)
    assert best_of(BETTER, falling) == 1
    assert best_of(BETTER, falling, replace(BETTER, decaying=True), falling) == 2


@pytest.mark.parametrize("decay", [None, Decay(10.5, 40)])
def test_a_checkpoint_holds_when_training_ends(tmp_path: Path, decay: Decay | None) -> None:
    state = State(weights=[], best_weights=[], steps=17, decay=decay)
    save(tmp_path, state, "run")
    assert load(tmp_path, "run") == state
