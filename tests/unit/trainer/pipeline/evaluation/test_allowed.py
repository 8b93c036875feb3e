import numpy as np
import pytest
from numpy.typing import NDArray

from shared.recognition.search.allowed_texts import SpelledTexts
from shared.recognition.vocabulary import Vocabulary
from trainer.pipeline.evaluation.allowed import (
    AllowedReading,
    measure_allowed,
    read_allowed,
)

VOCABULARY = Vocabulary("abc")


def output_of(text: str, sure: float) -> NDArray[np.float32]:
    """Softmax output (T, classes) that spells a text of three characters."""
    path = [each for character in VOCABULARY.encode(text) for each in (character, 3)]
    steps = np.full((len(path), 4), (1 - sure) / 3, np.float32)
    steps[range(len(path)), path] = sure
    return steps


def test_a_misread_text_of_the_list_is_put_right_and_a_foreign_one_has_little_confidence() -> None:
    allowed = SpelledTexts.of(["abc", "ccc"], VOCABULARY)
    output = np.stack([output_of("abb", 0.98), output_of("bab", 0.98)])
    listed, foreign = read_allowed(output, ["abc", "bab"], VOCABULARY, allowed)
    assert (listed.listed, listed.correct_freely, listed.correct) == (True, False, True)
    assert listed.confidence > 0.5
    assert listed.confidence_of_others < 0.05
    assert (foreign.listed, foreign.correct_freely, foreign.correct) == (False, True, False)
    assert foreign.confidence == foreign.confidence_of_others < 0.5


def reading(
    confidence: float, others: float = 0.0, *, listed: bool = True, correct: bool = True
) -> AllowedReading:
    return AllowedReading(listed, False, correct, confidence, others)


def test_the_lowest_threshold_that_rejects_enough_of_the_others_is_proposed() -> None:
    sure = [reading(1.0) for _ in range(15)]
    unsure = [reading(0.8, others=0.8), reading(0.6, others=0.7), reading(0.99, correct=False)]
    foreign = [reading(0.1, listed=False) for _ in range(2)]
    figures = measure_allowed([*sure, *unsure, *foreign], texts=7)
    assert (figures.texts, figures.images, figures.listed_images) == (7, 20, 18)
    assert (figures.threshold, figures.others_accepted) == (0.75, 0.05)
    assert figures.wrong_without_list == 1
    assert figures.wrong == pytest.approx(1 / 18)
    assert figures.rejected == pytest.approx(1 / 18)


def test_the_threshold_is_not_lower_than_the_default() -> None:
    assert measure_allowed([reading(1.0)], texts=1).threshold == 0.5


def test_a_list_without_any_image_of_it_has_figures_too() -> None:
    figures = measure_allowed([reading(0.9, others=1.0, listed=False)], texts=1)
    assert (figures.threshold, figures.others_accepted, figures.wrong) == (0.999, 1.0, 0.0)
