import itertools
from pathlib import Path

import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS

from shared.errors import ProcessDiedError
from trainer.pipeline.starter.batches import SIZE, Drawings, batches, drawing
from trainer.pipeline.starter.drawing import CHARACTERS, Fonts
from trainer.pipeline.starter.drawing.fonts.fonts import Face


def fonts() -> Fonts:
    return Fonts([Face(Path(DEFAULT_FONTS[0]), "Droid Sans Mono", "mono", "lpcm")])


def first(count: int, seed: tuple[int, ...]) -> list[Drawings]:
    return list(itertools.islice(batches(seed, fonts()), count))


def test_a_batch_holds_lines_of_one_size_and_the_classes_of_their_texts() -> None:
    for batch in first(4, (0,)):
        assert batch.pixels.shape[0] == len(batch.classes) == SIZE
        assert batch.pixels.dtype == np.uint8
        assert all(0 <= one < len(CHARACTERS) for classes in batch.classes for one in classes)
        assert len(set(batch.classes)) > SIZE / 2


def test_equal_seeds_give_equal_batches_and_others_others() -> None:
    [one], [same], [other] = first(1, (3, 1)), first(1, (3, 1)), first(1, (3, 2))
    assert one.pixels.tobytes() == same.pixels.tobytes()
    assert one.classes == same.classes
    assert one.classes != other.classes


def test_a_process_that_ends_is_told_instead_of_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.pipeline.starter.batches.CHECK_SECONDS", 0.2)
    no_font = Fonts([Face(Path("/nowhere.ttf"), "Nowhere", "mono", "lpcm")])
    with drawing(1, (5,), no_font) as stream, pytest.raises(ProcessDiedError, match="exit code 1"):
        next(stream)


def test_every_process_draws_lines_of_its_own() -> None:
    with drawing(2, (5,), fonts()) as stream:
        drawn = [batch.classes for batch in itertools.islice(stream, 6)]
    expected = {batch.classes for number in (0, 1) for batch in first(6, (5, number))}
    assert set(drawn) <= expected
    assert len(set(drawn)) == len(drawn)
