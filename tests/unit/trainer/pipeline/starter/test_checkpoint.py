from pathlib import Path

import numpy as np
import pytest

from shared.recognition.vocabulary import Vocabulary
from trainer.pipeline.starter.batches import Drawings
from trainer.pipeline.starter.checkpoint import FILE, Course, read_course, restore, save
from trainer.pipeline.starter.learner import Learner


def trained(steps: int) -> Learner:
    learner = Learner("conv", Vocabulary("ab"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 1), np.uint8)
    for _ in range(steps):
        learner.step(Drawings(pixels, ((0,), (1, 0))), 1.0)
    return learner


def test_a_training_resumes_with_its_weights_its_optimizer_and_its_course(tmp_path: Path) -> None:
    learner, course = trained(3), Course(seed=7, characters="ab", steps=3, seconds=4.5, starts=2)
    save(tmp_path / "work", course, [learner])
    assert read_course(tmp_path / "work") == course
    other = trained(0)
    assert restore(tmp_path / "work", other)
    for mine, its in zip(other.variables, learner.variables, strict=True):
        assert np.array_equal(mine.numpy(), its.numpy())


def test_a_network_that_was_not_saved_starts_anew(tmp_path: Path) -> None:
    save(tmp_path, Course(0, "ab"), [])
    assert not restore(tmp_path, trained(0))
    assert read_course(tmp_path / "elsewhere") is None


def test_a_failed_save_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, Course(0, "ab", steps=1), [])
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save(tmp_path, Course(0, "ab", steps=2), [])
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    course = read_course(tmp_path)
    assert course is not None
    assert course.steps == 1
