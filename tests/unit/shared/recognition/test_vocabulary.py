import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.recognition.vocabulary import Vocabulary, normalise_label, required_time_steps

texts = st.text(st.sampled_from("aAbBéß中7"), max_size=8)


def test_labels_give_their_distinct_characters_in_code_point_order() -> None:
    assert Vocabulary.from_labels(["b2", "a2", "B"]).characters == ("2", "B", "a", "b")


def test_the_blank_is_the_class_after_the_last_character() -> None:
    vocabulary = Vocabulary("xyz")
    assert (vocabulary.blank_index, vocabulary.classes) == (3, 4)


@given(st.lists(texts.filter(bool), min_size=1))
def test_every_label_survives_encoding_and_decoding(labels: list[str]) -> None:
    vocabulary = Vocabulary.from_labels(labels)
    assert [vocabulary.decode(vocabulary.encode(label)) for label in labels] == labels


@pytest.mark.parametrize("characters", [[], ["a", "a"], ["ab"], [""]])
def test_a_vocabulary_that_is_empty_ambiguous_or_not_of_single_characters_is_refused(
    characters: list[str],
) -> None:
    with pytest.raises(ValueError, match="vocabulary"):
        Vocabulary(characters)


def test_an_unknown_character_is_not_encoded() -> None:
    with pytest.raises(KeyError):
        Vocabulary("ab").encode("abc")


def test_labels_are_compared_composed_and_without_outer_space() -> None:
    assert normalise_label(" e\u0301 1\n") == "é 1"


@pytest.mark.parametrize(("text", "steps"), [("", 0), ("a", 1), ("ab", 2), ("aa", 3), ("aabbb", 8)])
def test_repeats_need_a_blank_between_them(text: str, steps: int) -> None:
    assert required_time_steps(text) == steps
