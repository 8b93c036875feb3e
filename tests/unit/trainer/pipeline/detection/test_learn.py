"""The detector's training: what it learns from, its loss, and that it learns."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from shared.recognition.lines.corners import overlap
from shared.recognition.lines.detection import find_line, to_input
from shared.recognition.lines.spec import DetectorSpec
from tests.support.jobs.observer import Recorder
from tests.support.models.detectors import photograph
from tests.support.photographs import photographs_zip, place_of_line
from trainer.pipeline.datasets.image_table import ImageTable, LabelledImage
from trainer.pipeline.datasets.sources.marked.boxes import Box
from trainer.pipeline.datasets.sources.marked.photographs import Photographs
from trainer.pipeline.datasets.sources.source import open_source
from trainer.pipeline.detection import learn as learn_module
from trainer.pipeline.detection.detect import known_places
from trainer.pipeline.detection.learn import detector_loss, learn
from trainer.pipeline.detection.views import Photograph, draw_view
from trainer.pipeline.networks.detector import SPEC, build_detector

SMALL = DetectorSpec(side=64, cells=16, least_score=0.1)


def drawn(count: int) -> list[Photograph]:
    places = [place_of_line(seed) for seed in range(count)]
    return [Photograph.of(photograph("abc", place), place) for place in places]


def test_a_view_shows_the_line_where_it_says() -> None:
    chance = np.random.default_rng(0)
    (one,) = drawn(1)
    shown = 0
    for _ in range(40):
        pixels, corners = draw_view(one, 128, chance)
        assert pixels.shape == (128, 128, 3)
        if np.isnan(corners).any():
            continue
        shown += 1
        assert corners.min() > 0
        assert corners.max() < 128
    assert shown > 30


def test_a_line_is_not_in_a_view_of_a_photograph_without_one() -> None:
    chance = np.random.default_rng(0)
    empty = Photograph.of(photograph("", place_of_line(0)), None)
    assert all(np.isnan(draw_view(empty, 64, chance)[1]).all() for _ in range(10))


def test_views_are_the_same_for_the_same_seed() -> None:
    (one,) = drawn(1)
    first, again = (draw_view(one, 64, np.random.default_rng(5)) for _ in range(2))
    assert (first[0] == again[0]).all()
    assert np.array_equal(first[1], again[1], equal_nan=True)


def test_the_loss_is_least_where_the_corners_are() -> None:
    corners = np.array([[(3.5, 4.5), (12.5, 4.5), (12.5, 8.5), (3.5, 8.5)]], np.float32)
    answers = np.full((3, 4, 257), 1e-6, np.float32)
    for corner, (x, y) in enumerate(corners[0]):
        answers[0, corner, int(y) * 16 + int(x)] = 1
        answers[1, corner, int(y) * 16 + int(x) + 3] = 1
    answers[2, :, 256] = 1
    there, beside, nowhere = (
        float(detector_loss(tf.constant(answer[np.newaxis]), corners)) for answer in answers
    )
    assert there < beside
    assert there < nowhere
    absent = np.full((1, 4, 2), np.nan, np.float32)
    losses = [float(detector_loss(tf.constant(a[np.newaxis]), absent)) for a in answers]
    assert losses[2] == pytest.approx(0, abs=1e-6)
    assert min(losses[:2]) > 5


def test_it_learns_no_place_from_an_image_with_a_text_and_none(tmp_path: Path) -> None:
    source = open_source(photographs_zip(tmp_path / "set.zip", ["a"]))
    photographs = Photographs(source, {"line": ("0000.png", Box(0, 0, 9, 9))})
    images = ImageTable(
        LabelledImage(name, label, f"{number:064x}", (9, 9))
        for number, (name, label) in enumerate(
            [("line", "a"), ("corrections/1.png", "b"), ("nothing.png", "")]
        )
    )
    assert list(known_places(images, photographs).names) == ["line", "nothing.png"]


def test_the_detector_has_fewer_than_a_million_parameters_and_answers_probabilities() -> None:
    model = build_detector()
    assert model.count_params() < 1_000_000
    answer = model.predict_on_batch(to_input(np.zeros((2, SPEC.side, SPEC.side, 3), np.uint8)))
    assert answer.shape == (2, 4, SPEC.cells**2 + 1)
    assert answer.sum(axis=2) == pytest.approx(np.ones((2, 4)), abs=1e-4)


def test_it_learns_to_find_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn_module, "STEPS", 250)
    recorder = Recorder()
    model = learn(drawn(40), SMALL, 0, recorder, 600)
    found = [
        find_line(photograph("cab", place), SMALL, model.predict_on_batch)
        for place in map(place_of_line, range(100, 110))
    ]
    overlaps = [
        overlap(each.corners, place_of_line(seed)) if each else 0
        for seed, each in enumerate(found, 100)
    ]
    assert np.median(overlaps) > 0.6
    assert any("of 250 steps" in message for _, message in recorder.events)


def test_it_ends_in_the_time_that_it_has() -> None:
    recorder = Recorder()
    learn(drawn(4), SMALL, 0, recorder, 0.0)
    assert len(recorder.events) <= 3
