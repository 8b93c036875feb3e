"""What becomes of the lines of a set once a detector finds them."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from shared.recognition.lines.corners import Corners, overlap, size_of
from shared.recognition.preprocessing import open_image
from tests.support.models.detectors import CORNERS, DETECTOR_SPEC, detector_graph
from tests.support.photographs import photographs_zip, place_of_line
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.load import labelled_images, load_dataset
from trainer.pipeline.datasets.sources.marked.boxes import Box
from trainer.pipeline.datasets.sources.marked.photographs import why_no_photographs
from trainer.pipeline.detection.recut import Located, Recut, error_of, with_error
from trainer.schemas.job_request import JobRequest

TEXTS = ["ab", "cab", "abc", "ca", "bc"] * 8
SESSION = onnxruntime.InferenceSession(detector_graph(), providers=["CPUExecutionProvider"])


def run(views: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(SESSION.run(None, {"views": views})[0], np.float32)


def nothing(views: NDArray[np.float32]) -> NDArray[np.float32]:
    answer = np.zeros((len(views), 4, 64 * 64 + 1), np.float32)
    answer[:, :, -1] = 1
    return answer


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs_zip(tmp_path_factory.mktemp("photographs") / "set.zip", TEXTS)


@pytest.fixture(scope="module")
def dataset(photographs: Path) -> Dataset:
    return load_dataset(photographs, JobRequest())


def test_a_set_with_one_line_in_each_photograph_is_one_for_a_detector(dataset: Dataset) -> None:
    assert dataset.photographs is not None
    assert "send whole images" in dataset.summary["label_notes"][-1]
    # Few as they are, they are in parts: the detector is measured on what it has not learned from.
    assert not dataset.folds
    assert len(dataset.test)
    image, corners = dataset.photographs.open(dataset.test[0].name)
    assert image.size == (640, 480)
    assert corners is not None
    number = int(dataset.photographs.file(dataset.test[0].name)[:4])
    assert overlap(corners, place_of_line(number)) > 0.99


@pytest.mark.parametrize(
    "request_",
    [
        JobRequest(detector="off"),
        JobRequest.model_validate(
            {"search": {"parameters": {"batch_size": {"choices": [8, 16]}}, "trials": 2}}
        ),
        JobRequest(evaluation="cross_validation"),
    ],
)
def test_no_detector_learns_where_none_is_wanted_or_can(
    request_: JobRequest, photographs: Path
) -> None:
    dataset = load_dataset(photographs, request_)
    assert dataset.photographs is None
    assert "send lines cut out in the same way" in dataset.summary["label_notes"][-1]


def test_a_detector_learns_only_where_each_image_has_one_line() -> None:
    box = Box(0, 0, 9, 9)
    boxes = {f"{n}.png/0,0,9,9.png": (f"{n}.png", box) for n in range(30)}
    texts = dict.fromkeys(boxes, "a")
    assert why_no_photographs(texts, boxes) is None
    assert why_no_photographs(texts | {"nothing.png": ""}, boxes) is None
    assert why_no_photographs(texts | {"line.png": "a"}, boxes) == (
        "the place of the text is not given for every image"
    )
    several = boxes | {"0.png/0,9,9,9.png": ("0.png", box)}
    assert why_no_photographs(dict.fromkeys(several, "a"), several) == (
        "1 images have several lines"
    )
    assert why_no_photographs(dict(list(texts.items())[:19]), boxes) == "it takes 20 images"


def test_lines_are_cut_as_they_are_found(dataset: Dataset, tmp_path: Path) -> None:
    assert dataset.photographs is not None
    recut = Recut(dataset.photographs, DETECTOR_SPEC, run, tmp_path / "lines")
    located = recut.as_found(dataset.test)
    assert [each.name for each in located] == list(dataset.test.names)
    assert np.mean([each.overlap > 0.7 for each in located]) > 0.5
    source = recut.source()
    for each in located:
        line = open_image(source.read(each.name))
        assert each.found is not None
        width, height = size_of(each.found)
        assert line.size == pytest.approx((width + 0.1 * height, 1.1 * height), abs=3)
    # The others are as they were.
    name = dataset.train[0].name
    assert source.read(name) == dataset.source.read(name)


def test_where_nothing_is_found_the_line_stays_as_it_was(dataset: Dataset, tmp_path: Path) -> None:
    assert dataset.photographs is not None
    recut = Recut(dataset.photographs, DETECTOR_SPEC, nothing, tmp_path / "lines")
    (located,) = recut.as_found(dataset.test[:1])
    assert (located.found, located.overlap) == (None, 0.0)
    assert recut.source().read(located.name) == dataset.source.read(located.name)


def test_the_training_part_is_cut_with_the_errors_that_were_measured(
    dataset: Dataset, tmp_path: Path
) -> None:
    assert dataset.photographs is not None
    recut = Recut(dataset.photographs, DETECTOR_SPEC, run, tmp_path / "lines")
    error = np.array([(0.1, -0.2), (0.0, 0.1), (-0.1, 0.0), (0.05, 0.05)])
    far = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
    measured = [
        Located("one", (640, 480), with_error(CORNERS, error), CORNERS),
        Located("another line", (640, 480), far, CORNERS),  # it teaches nothing
    ]
    for each in recut.as_if_found(dataset.train, measured, seed=0):
        assert each.truth is not None and each.found is not None
        assert error_of(each.truth, each.found) == pytest.approx(error, abs=1e-6)
    with_none = recut.as_if_found(dataset.train[:3], [], seed=0)
    assert [each.overlap for each in with_none] == [pytest.approx(1)] * 3


def test_errors_are_along_and_across_the_line_and_in_its_heights() -> None:
    level: Corners = ((0, 0), (100, 0), (100, 20), (0, 20))
    standing: Corners = ((20, 0), (20, 100), (0, 100), (0, 0))
    error = np.array([(0.5, 0.1), (0, 0), (0, 0), (0, 0)])
    assert with_error(level, error)[0] == pytest.approx((10, 2))
    assert with_error(standing, error)[0] == pytest.approx((18, 10))
    assert error_of(level, level) == pytest.approx(np.zeros((4, 2)))


def test_an_error_that_would_turn_a_line_inside_out_is_left_out() -> None:
    level: Corners = ((0, 0), (100, 0), (100, 20), (0, 20))
    assert with_error(level, np.array([(3, 0.7), (0, 0), (0, 0), (0, 0)])) == level


def test_whole_photographs_are_given_to_a_model_that_finds_the_line(photographs: Path) -> None:
    whole = list(labelled_images(photographs, "auto", whole=True))
    lines = list(labelled_images(photographs, "auto"))
    assert [(name, text) for name, text, _ in whole] == [(name, text) for name, text, _ in lines]
    assert {open_image(data).size for _, _, data in whole} == {(640, 480)}
    assert max(open_image(data).width for _, _, data in lines) < 300
