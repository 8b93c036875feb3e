"""Who proposes: the one that agrees best with the texts that people have confirmed."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pytest

from shared.recognition.preprocessing import open_image
from tests.support.labelled_images import image
from trainer.labelling.choose import best_reader
from trainer.labelling.labelled_set import LabelledSet, Reading
from trainer.labelling.proposers.interface import Guess
from trainer.labelling.proposers.reader import ProposerReader, as_written
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.schemas.limits import DEFAULT_LIMITS
from trainer.schemas.progress import Observer


class Texts:
    """A reader that gives a text for each name, and confirmed images as it is told to."""

    ahead = 0.0

    def __init__(self, name: str, texts: Mapping[str, str], asked: Sequence[str] = ()) -> None:
        self.name = name
        self._texts = texts
        self._asked = asked

    def read_confirmed(self) -> dict[str, Reading]:
        return dict(zip(self._asked, self.read(self._asked), strict=True))

    def read(self, names: Sequence[str]) -> list[Reading]:
        return [Reading(self._texts.get(name, ""), 0.5, np.zeros(1, np.float32)) for name in names]


class Images:
    limits = DEFAULT_LIMITS

    def names(self) -> list[str]:
        return ["a", "b", "c"]

    def read(self, name: str) -> bytes:
        if name not in self.names():
            raise UnreadableEntryError("was deleted")
        return image(name)


def labelled(texts: dict[str, str], others: list[str]) -> LabelledSet:
    return LabelledSet(Images(), texts, set(texts), others)


def test_the_reader_that_agrees_best_with_the_confirmed_texts_proposes() -> None:
    truth = {"a": "1", "b": "2", "c": "3"}
    readers = [
        Texts("first", {"a": "1"}, "abc"),
        Texts("second", {"a": "1", "b": "2"}, "abc"),
        Texts("third", {}, "abc"),
    ]
    assert best_reader(readers, labelled(truth, [])).name == "second"


def test_one_that_has_learned_from_all_but_one_image_does_not_win_by_that_one() -> None:
    truth = {each: each for each in "abcdefgh"}
    learned = Texts("learned", truth, "a")
    steady = Texts("steady", truth, "abcdefg")
    assert best_reader([learned, steady], labelled(truth, [])).name == "steady"


def test_before_any_text_is_confirmed_the_one_that_others_agree_with_proposes() -> None:
    readers = [
        Texts("odd", {"a": "x", "b": "y", "c": "z"}),
        Texts("one", {"a": "1", "b": "2", "c": "3"}),
        Texts("other", {"a": "1", "b": "2", "c": "8"}),
    ]
    assert best_reader(readers, labelled({}, ["a", "b", "c"])).name == "one"


def test_where_nothing_tells_the_first_proposes() -> None:
    readers = [Texts("first", {"a": "1"}), Texts("second", {"a": "2"})]
    assert best_reader(readers, labelled({}, ["a"])).name == "first"
    assert best_reader(readers, labelled({"b": "3"}, ["a"])).name == "first"


@pytest.mark.parametrize(
    ("guess", "texts", "text"),
    [
        ("Total due", ["SUB TOTAL", "TAX"], "TOTAL DUE"),
        ("AB 12", ["X3", "Y9"], "AB12"),
        ("Ab12", ["xy", "ZW"], "Ab12"),
        ("Ab 12", [], "Ab 12"),
        ("Ab", ["12", "34"], "Ab"),
        ("  ", ["12"], ""),
        ("a\x07b", ["ab"], ""),
        ("a" * 2000, ["ab"], ""),
    ],
)
def test_a_guess_is_written_as_the_confirmed_texts_are(
    guess: str, texts: list[str], text: str
) -> None:
    assert as_written(Guess(guess, 1.0), texts) == text


class Knowing:
    """A proposer that was trained on some images."""

    name = "model"

    def __init__(self, known: Sequence[bytes]) -> None:
        self._sizes = set(known)

    def read(self, images: Iterable[object]) -> list[Guess]:
        return [Guess("A", 0.9) for _ in images]

    def has_learned_from(self, image: object) -> bool:
        return image.tobytes() in self._sizes  # type: ignore[attr-defined]


def test_a_model_is_not_judged_by_images_that_it_has_learned_from() -> None:
    known = open_image(Images().read("a")).tobytes()
    reader = ProposerReader(Knowing([known]), labelled({"a": "A", "b": "B"}, ["c"]), Observer())
    assert list(reader.read_confirmed()) == ["b"]
    assert [one.text for one in reader.read(["c"])] == ["A"]
