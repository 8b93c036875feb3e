"""Which characters a model can predict."""

import string

import pytest

from shared.errors import DatasetError
from trainer.pipeline.datasets.dataset import Base
from trainer.pipeline.datasets.labels.vocabulary import choose_vocabulary
from trainer.pipeline.training.base import load_starter
from trainer.schemas.job_request import JobRequest, ListedCharacters


@pytest.fixture(scope="module")
def base() -> Base:
    starter = load_starter("conv")
    assert starter
    return starter


def chosen(labels: list[str], request: JobRequest | None = None, base: Base | None = None) -> str:
    vocabulary = choose_vocabulary(labels, request or JobRequest(), base)
    return "".join(vocabulary.characters)


def test_few_labels_leave_the_rest_of_their_classes_open() -> None:
    assert chosen(["12", "23"]) == string.digits
    assert chosen(["a2", "b2"]) == string.digits + string.ascii_lowercase
    assert chosen(["A-"]) == "-" + string.ascii_uppercase
    assert chosen(["Ж"]) == "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ"


def test_once_every_character_has_come_twice_nothing_is_open() -> None:
    assert chosen(["12", "21"]) == "12"


@pytest.mark.parametrize(
    "request_",
    [JobRequest(vocabulary="closed"), JobRequest(base="none"), JobRequest(preset="crnn")],
)
def test_what_closes_the_vocabulary(request_: JobRequest) -> None:
    assert chosen(["12", "23"], request_) == "123"


def test_characters_that_the_starter_does_not_know_are_not_opened() -> None:
    assert chosen(["ಕ"]) == "ಕ"


def test_a_list_says_what_can_be_predicted() -> None:
    request = JobRequest(vocabulary=ListedCharacters(characters="43210 "))
    assert chosen(["12", "23"], request) == " 01234"


def test_a_list_that_leaves_out_what_labels_hold_is_an_error() -> None:
    with pytest.raises(DatasetError, match="leaves out: 3") as raised:
        chosen(["12", "23"], JobRequest(vocabulary=ListedCharacters(characters="012")))
    assert raised.value.code == "characters_missing"


def test_a_base_version_keeps_its_characters_first(base: Base) -> None:
    known = "".join(base.vocabulary.characters)
    assert chosen(["12ಕ"], base=base) == known + "ಕ"


def test_characters_are_checked() -> None:
    assert ListedCharacters(characters="ba" + "e\u0301" + "a").characters == "baé"
    for wrong in ("", "a\n"):
        with pytest.raises(ValueError, match="characters"):
            ListedCharacters(characters=wrong)
