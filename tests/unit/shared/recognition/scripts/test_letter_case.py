"""A letter that limits leave out counts as its other case."""

import numpy as np

from shared.recognition.scripts.letter_case import find_folds, fold_case

CHARACTERS = ("a", "A", "b", "B", "1", "ß")


def test_letters_that_are_left_out_count_as_their_other_case() -> None:
    folds = find_folds(CHARACTERS, {1, 2, 3, 4})
    assert folds == [(0, 1)]
    output = np.array([[0.5, 0.1, 0.1, 0.0, 0.1, 0.1, 0.1]], np.float32)
    folded = fold_case(output, folds)
    assert folded.tolist() == np.array([[0, 0.6, 0.1, 0, 0.1, 0.1, 0.1]], np.float32).tolist()
    assert output[0, 0] == 0.5


def test_without_limits_nothing_is_folded() -> None:
    assert find_folds(CHARACTERS, range(len(CHARACTERS))) == []
