import io
from pathlib import Path

import pytest
from PIL import Image

from shared.recognition.preprocessing import open_image
from tests.support.labelled_images import image, write_zip
from trainer.pipeline.datasets.load import load_dataset
from trainer.pipeline.datasets.sources.frames import frames_differ
from trainer.schemas.job_request import JobRequest

SIZE = (40, 20)


def animated(kind: str, *grays: int) -> bytes:
    """Return an image with a frame of each gray."""
    first, *others = [Image.new("L", SIZE, gray).convert("RGB") for gray in grays]
    for frame in (first, *others):
        frame.putpixel((0, 0), (255, 0, 0))
    data = io.BytesIO()
    first.save(data, kind, save_all=True, append_images=others, **ENCODINGS[kind])
    return data.getvalue()


ENCODINGS: dict[str, dict[str, object]] = {
    "GIF": {"optimize": False},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
}


@pytest.mark.parametrize("kind", ENCODINGS)
def test_frames_that_differ_are_found_and_the_first_is_read(kind: str) -> None:
    data = animated(kind, 40, 200)
    assert frames_differ(data)
    assert abs(open_image(data).convert("L").getpixel((20, 10)) - 40) < 3  # type: ignore[operator]


@pytest.mark.parametrize("kind", ENCODINGS)
def test_one_frame_is_all(kind: str) -> None:
    assert not frames_differ(animated(kind, 40))


def test_pages_that_are_the_same_are_none_to_be_told_of() -> None:
    assert not frames_differ(animated("TIFF", 40, 40, 40))
    assert frames_differ(animated("TIFF", 40, 40, 200))


@pytest.mark.parametrize("kind", ENCODINGS)
def test_a_file_that_ends_after_its_first_frame_is_no_error(kind: str) -> None:
    data = animated(kind, 40, 200)
    for length in range(0, len(data), 7):
        assert frames_differ(data[:length]) in (True, False)


def test_no_more_frames_are_compared_than_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = animated("TIFF", 40, 40, 200)
    monkeypatch.setattr("trainer.pipeline.datasets.sources.frames.MAX_PIXELS", SIZE[0] * SIZE[1])
    assert not frames_differ(data)


def test_the_check_names_the_animated_files(tmp_path: Path) -> None:
    entries = {f"A{i}.png": image(f"A{i}", seed=i) for i in range(12)}
    for number in range(11):
        entries[f"B{number}.gif"] = animated("GIF", number * 9, 200)
    entries["C.gif"] = animated("GIF", 100)
    warnings = load_dataset(
        write_zip(tmp_path / "set.zip", entries), JobRequest(labels="filename")
    ).summary["warnings"]
    (told,) = [each for each in warnings if "frames" in each]
    assert told.startswith("11 images have several frames or pages that differ (B0.gif, B1.gif, ")
    assert "and 1 more): the first one alone is read, here and by /predict." in told
    assert "C.gif" not in told
