from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.patterns.automaton import build_automaton
from shared.patterns.limits import Limits
from shared.recognition.decoding import (
    DecodedCharacter,
    DecodedText,
    at_temperature,
    decode,
    decode_within,
    text_probability,
)
from shared.recognition.vocabulary import Vocabulary

VOCABULARY = Vocabulary("ab")


@st.composite
def batches(draw: st.DrawFn) -> NDArray[np.float32]:
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 5)), VOCABULARY.classes)
    seed = draw(st.integers(0, 2**32 - 1))
    logits = np.random.default_rng(seed).normal(scale=3, size=shape)
    powers = np.exp(logits)
    return np.asarray(powers / powers.sum(axis=2, keepdims=True), dtype=np.float32)


def collapsed(path: tuple[int, ...]) -> str:
    kept = [step for step, _ in groupby(path) if step != VOCABULARY.blank_index]
    return "".join(VOCABULARY.characters[step] for step in kept)


def probability(path: tuple[int, ...], steps: NDArray[np.float32]) -> float:
    return float(np.prod([float(row[index]) for row, index in zip(steps, path, strict=True)]))


@given(batches())
def test_a_prediction_is_the_text_of_the_likeliest_path(probabilities: NDArray[np.float32]) -> None:
    for prediction, steps in zip(decode(probabilities, VOCABULARY), probabilities, strict=True):
        paths = product(range(VOCABULARY.classes), repeat=len(steps))
        assert prediction.text == collapsed(max(paths, key=lambda path: probability(path, steps)))


@given(batches())
def test_its_confidence_is_the_sum_over_all_paths_that_spell_it(
    probabilities: NDArray[np.float32],
) -> None:
    for prediction, steps in zip(decode(probabilities, VOCABULARY), probabilities, strict=True):
        paths = product(range(VOCABULARY.classes), repeat=len(steps))
        spelling = (path for path in paths if collapsed(path) == prediction.text)
        expected = sum(probability(path, steps) for path in spelling)
        assert prediction.confidence == pytest.approx(expected)


@given(batches())
def test_characters_spell_the_text(probabilities: NDArray[np.float32]) -> None:
    for prediction in decode(probabilities, VOCABULARY):
        assert "".join(character.text for character in prediction.characters) == prediction.text
        assert all(0 < character.confidence <= 1 for character in prediction.characters)


def test_repeats_are_merged_and_a_blank_keeps_them_apart() -> None:
    path = [0, 0, 2, 0, 1, 1]
    probabilities = np.eye(3, dtype=np.float32)[path][np.newaxis]
    assert decode(probabilities, VOCABULARY)[0].text == "aab"


def test_a_character_is_as_likely_as_its_best_step() -> None:
    probabilities = np.array([[[0.6, 0.1, 0.3], [0.9, 0.0, 0.1], [0.1, 0.1, 0.8]]], np.float32)
    (prediction,) = decode(probabilities, VOCABULARY)
    assert prediction.characters[0].confidence == pytest.approx(0.9)


def test_only_blanks_read_as_nothing() -> None:
    probabilities = np.array([[[0.0, 0.1, 0.9]] * 4], np.float32)
    (prediction,) = decode(probabilities, VOCABULARY)
    assert (prediction.text, prediction.characters) == ("", ())


@given(batches(), st.floats(0.05, 20.0))
def test_the_text_is_the_same_at_any_temperature(
    probabilities: NDArray[np.float32], temperature: float
) -> None:
    plain = decode(probabilities, VOCABULARY)
    tempered = decode(probabilities, VOCABULARY, temperature)
    assert [prediction.text for prediction in tempered] == [prediction.text for prediction in plain]


def test_a_temperature_divides_the_logits() -> None:
    logits = np.array([[[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]]])
    softmax, halved = (
        np.exp(x) / np.exp(x).sum(axis=2, keepdims=True) for x in (logits, logits / 2)
    )
    assert at_temperature(softmax.astype(np.float32), 2.0) == pytest.approx(halved, abs=1e-6)
    (prediction,) = decode(softmax.astype(np.float32), VOCABULARY, 2.0)
    assert prediction.characters[0].confidence == pytest.approx(halved[0, 0, 0], abs=1e-6)
    assert prediction.confidence == pytest.approx(decode(halved, VOCABULARY)[0].confidence)


def test_no_temperature_leaves_a_step_without_probability() -> None:
    probabilities = np.array([[[0.4, 0.35, 0.25], [1.0, 0.0, 0.0]]], np.float32)
    for temperature in (1e-3, 1e3):
        assert at_temperature(probabilities, temperature).sum(axis=2) == pytest.approx(1.0)


def test_a_character_stands_from_its_first_step_to_behind_its_last() -> None:
    path = [2, 0, 0, 2, 2, 1, 0, 2]
    probabilities = np.eye(3, dtype=np.float32)[path][np.newaxis]
    (prediction,) = decode(probabilities, VOCABULARY)
    places = [(each.text, each.start * 8, each.end * 8) for each in prediction.characters]
    assert places == [("a", 1, 3), ("b", 5, 6), ("a", 6, 7)]


ANYTHING = build_automaton(Limits(), VOCABULARY.characters, 5)


@given(batches())
def test_the_search_reports_exact_confidences_the_highest_first(
    probabilities: NDArray[np.float32],
) -> None:
    found = decode_within(probabilities, VOCABULARY, ANYTHING, top_k=3)
    for prediction, steps in zip(found, probabilities, strict=True):
        assert prediction is not None
        best, *others = prediction.alternatives
        assert (best.text, best.confidence) == (prediction.text, prediction.confidence)
        assert len(others) <= 2
        ordered = [each.confidence for each in prediction.alternatives]
        assert ordered == sorted(ordered, reverse=True)
        for each in prediction.alternatives:
            classes = VOCABULARY.encode(each.text)
            expected = text_probability(steps, classes, VOCABULARY.blank_index)
            assert each.confidence == expected


@given(batches())
def test_the_best_alignment_is_the_likeliest_path_of_the_text(
    probabilities: NDArray[np.float32],
) -> None:
    for prediction, steps in zip(
        decode_within(probabilities, VOCABULARY, ANYTHING), probabilities, strict=True
    ):
        assert prediction is not None
        paths = product(range(VOCABULARY.classes), repeat=len(steps))
        spelling = [path for path in paths if collapsed(path) == prediction.text]
        likeliest = max(spelling, key=lambda path: probability(path, steps))
        aligned = [VOCABULARY.blank_index] * len(steps)
        for character in prediction.characters:
            start, end = round(character.start * len(steps)), round(character.end * len(steps))
            index = VOCABULARY.encode(character.text)[0]
            aligned[start:end] = [index] * (end - start)
            assert character.confidence == steps[start:end, index].max()
        assert collapsed(tuple(aligned)) == prediction.text
        assert probability(tuple(aligned), steps) == pytest.approx(probability(likeliest, steps))


def test_the_search_is_at_the_temperature_too() -> None:
    probabilities = np.array([[[0.6, 0.1, 0.3], [0.9, 0.0, 0.1], [0.1, 0.1, 0.8]]], np.float32)
    (plain,) = decode(probabilities, VOCABULARY, 2.0)
    (found,) = decode_within(probabilities, VOCABULARY, ANYTHING, temperature=2.0)
    assert found is not None
    assert (found.text, found.confidence) == (plain.text, plain.confidence)


def test_an_image_in_which_no_text_fits_has_no_prediction() -> None:
    probabilities = np.eye(3, dtype=np.float32)[[[0, 2, 2], [1, 2, 2]]]
    only_b = build_automaton(Limits(pattern="b"), VOCABULARY.characters, 3)
    none, prediction = decode_within(probabilities, VOCABULARY, only_b)
    assert none is None
    assert prediction is not None
    assert prediction.text == "b"


def test_places_are_shares_of_the_image_in_which_the_input_spans_a_part() -> None:
    prediction = DecodedText(
        "a", 1.0, (DecodedCharacter("a", 1.0, 0.25, 0.5), DecodedCharacter("b", 1.0, 0.4, 0.75))
    )
    twice = prediction.within((0.0, 2.0)).characters
    assert [(one.start, one.end) for one in twice] == [(0.5, 1.0), (0.8, 1.0)]
    middle = prediction.within((0.5, 0.75)).characters
    assert [(one.start, one.end) for one in middle] == [(0.5625, 0.625), (0.6, 0.6875)]
    assert prediction.within((0.0, 1.0)) == prediction
