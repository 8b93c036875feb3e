from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.patterns.automaton import build_automaton
from shared.patterns.limits import Limits
from shared.recognition.decoding import DecodedText, decode, decode_within
from shared.recognition.scripts.graphemes import clusters
from shared.recognition.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("abc", ["a", "b", "c"]),
        ("ಕಿವಿ", ["ಕಿ", "ವಿ"]),
        ("हिन्दी", ["हि", "न्दी"]),
        ("كِتَاب", ["كِ", "تَ", "ا", "ب"]),
        ("q\u0303a", ["q\u0303", "a"]),
        ("\u0cbfa", ["\u0cbf", "a"]),
        ("", []),
    ],
)
def test_marks_stay_with_their_letter(text: str, found: list[str]) -> None:
    assert clusters(text) == found


@given(st.text("aबि्क\u200d\u0303\u0cbfךִ🇩👩é", max_size=12))
def test_the_clusters_are_the_text(text: str) -> None:
    assert "".join(clusters(text)) == text


def output_of(path: str, vocabulary: Vocabulary) -> NDArray[np.float32]:
    """Return a softmax that takes this path, a blank for each dash, surer with each step."""
    classes = [vocabulary.blank_index if c == "-" else vocabulary.encode(c)[0] for c in path]
    rows = np.full((len(path), vocabulary.classes), 0.01, np.float32)
    rows[np.arange(len(path)), classes] = np.linspace(0.6, 0.9, len(path))
    return np.asarray(rows / rows.sum(axis=1, keepdims=True), np.float32)[np.newaxis]


KANNADA = Vocabulary("ಕವಿ")


def by_best_path(output: NDArray[np.float32]) -> DecodedText:
    return decode(output, KANNADA)[0]


def by_search(output: NDArray[np.float32]) -> DecodedText:
    automaton = build_automaton(Limits(".*"), KANNADA.characters, 9)
    [found] = decode_within(output, KANNADA, automaton)
    assert found is not None
    return found


@pytest.mark.parametrize("decoded", [by_best_path, by_search])
def test_a_letter_with_its_mark_is_one_character_of_an_answer(
    decoded: Callable[[NDArray[np.float32]], DecodedText],
) -> None:
    output = output_of("-ಕ-ಿ-ವ--", KANNADA)
    found = decoded(output)
    assert found.text == "ಕಿವ"
    assert [one.text for one in found.characters] == ["ಕಿ", "ವ"]
    with_mark, alone = found.characters
    assert (with_mark.start, with_mark.end) == (1 / 8, 4 / 8)
    assert (alone.start, alone.end) == (5 / 8, 6 / 8)
    # As sure as the letter, of which the network is less sure than of the mark.
    assert with_mark.confidence == pytest.approx(float(output[0, 1].max()))


def test_marks_stay_with_their_letter_where_text_runs_from_right_to_left() -> None:
    vocabulary = Vocabulary("אבָ12", right_to_left=True)
    [found] = decode(output_of("-א-ָ-ב-2-1", vocabulary), vocabulary)
    assert found.text == "אָב12"
    assert [one.text for one in found.characters] == ["אָ", "ב", "1", "2"]
