import multiprocessing
from pathlib import Path

import pytest
from captcha.image import DEFAULT_FONTS

from shared.recognition.vocabulary import Vocabulary
from trainer.pipeline.starter.batches import Drawings
from trainer.pipeline.starter.checkpoint import Course, read_course, restore
from trainer.pipeline.starter.drawing import CHARACTERS, Fonts
from trainer.pipeline.starter.drawing.fonts.fonts import Face
from trainer.pipeline.starter.learner import Learner
from trainer.pipeline.starter.schedule import Length
from trainer.pipeline.starter.train import TrainingPlan, train


def plan(work: Path, steps: int) -> TrainingPlan:
    fonts = Fonts([Face(Path(DEFAULT_FONTS[0]), "Droid Sans Mono", "mono", "lpcm")])
    return TrainingPlan(Length(steps, None), work, processes=1, fonts=fonts)


def iterations(learner: Learner) -> int:
    [count] = [each for each in learner.variables if each.name == "iteration"]
    return int(count.numpy())


def test_a_training_goes_on_from_its_checkpoint_with_other_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.pipeline.starter.train.TEST_LINES", 10)
    learner = Learner("conv", Vocabulary(CHARACTERS))
    train([learner], Course(0, CHARACTERS), plan(tmp_path, 3))
    course = read_course(tmp_path)
    assert course is not None
    assert (course.steps, course.starts, course.characters) == (3, 1, CHARACTERS)

    other = Learner("conv", Vocabulary(CHARACTERS))
    assert restore(tmp_path, other)
    train([other], course, plan(tmp_path, 5))

    ended = read_course(tmp_path)
    assert ended is not None
    assert (ended.steps, ended.starts) == (5, 2)
    assert ended.seconds > 0
    assert iterations(other) == 5
    assert not multiprocessing.active_children()


def test_what_was_learned_is_saved_when_the_training_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.pipeline.starter.train.TEST_LINES", 10)
    learner = Learner("conv", Vocabulary(CHARACTERS))
    step, calls = learner.step, []

    def interrupted(batch: Drawings, factor: float) -> float:
        calls.append(factor)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return step(batch, factor)

    monkeypatch.setattr(learner, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train([learner], Course(0, CHARACTERS), plan(tmp_path, 9))
    course = read_course(tmp_path)
    assert course is not None
    assert course.steps == 2
    assert iterations(learner) == 2
