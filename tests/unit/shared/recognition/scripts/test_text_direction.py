import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.patterns.automaton import build_automaton
from shared.patterns.limits import Limits
from shared.recognition.decoding import decode, decode_within
from shared.recognition.image_spec import ImageSpec
from shared.recognition.scripts.text_direction import is_right_to_left, turned
from shared.recognition.vocabulary import Vocabulary

SPEC = ImageSpec(height=32, width=64, channels=1, resize="stretch", standardize=True)


@pytest.mark.parametrize(
    ("text", "from_the_right"),
    [
        ("שלום", "שלום"),
        ("אב123", "אב321"),
        ("12.5 אב", "5.21 אב"),
        ("אב 12 34 גד", "אב 21 43 גד"),
        ("אב 12/34", "אב 43/21"),
        ("50% הנחה", "%05 הנחה"),
        ("אב abc def גד", "אב fed cba גד"),
        ("אב A4 גד", "אב 4A גד"),
        ("שָׁלוֹם", "שָׁלוֹם"),
        ("٣٤ كتاب", "٤٣ كتاب"),
        ("(12) אב", "(21) אב"),
        ("", ""),
    ],
)
def test_what_runs_from_left_to_right_is_turned(text: str, from_the_right: str) -> None:
    assert turned(text) == from_the_right


@given(st.text("אבגשׁ12٣.,/-+% ()abC₪", max_size=12))
@settings(max_examples=500, deadline=None)
def test_turning_twice_changes_nothing(text: str) -> None:
    assert turned(turned(text)) == text


def test_the_letters_tell_the_direction() -> None:
    assert is_right_to_left(["שלום", "123 abc", "עולם"])
    assert is_right_to_left(["كتاب"])
    assert not is_right_to_left(["abc", "שלום עולם"[:2]])
    assert not is_right_to_left(["123", "4.5"])
    assert not is_right_to_left([])


def output_of(visual: str, vocabulary: Vocabulary) -> NDArray[np.float32]:
    """Return what a sure network sees from left to right, turned around: (1, T, classes)."""
    path = [vocabulary.blank_index]
    for character in visual:
        path += [vocabulary.characters.index(character), vocabulary.blank_index]
    return np.eye(vocabulary.classes, dtype=np.float32)[path][np.newaxis, ::-1]


def test_texts_and_places_are_in_logical_order() -> None:
    vocabulary = Vocabulary("אב12", right_to_left=True)
    [found] = decode(output_of("12בא", vocabulary), vocabulary)
    assert found.text == "אב12"
    assert [one.text for one in found.characters] == list("אב12")
    span = SPEC.model_copy(update={"direction": "rtl"}).span((64, 32))
    places = [one.start for one in found.within(span).characters]
    assert places == pytest.approx([7 / 9, 5 / 9, 1 / 9, 3 / 9])
    assert all(one.start < one.end for one in found.within(span).characters)


def test_limits_are_of_texts_in_logical_order() -> None:
    vocabulary = Vocabulary("אב12", right_to_left=True)
    automaton = build_automaton(Limits("[אב]{2}[12]{2}"), vocabulary.characters, 9)
    [found] = decode_within(output_of("12בא", vocabulary), vocabulary, automaton, top_k=2)
    assert found is not None
    assert found.text == found.alternatives[0].text == "אב12"
