"""A run on images of many widths, whose inputs follow them, and on those with a band of text."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from predictor.models.engine import Engine
from shared.recognition.decoding import DecodedText
from shared.store.manifest import Manifest
from shared.store.store import ModelStore
from tests.support.jobs.observer import Recorder
from tests.support.jobs.runs import QUICK, context
from tests.support.labelled_images import write_zip
from trainer.pipeline.run import run
from trainer.schemas.job_request import Hyperparameters

REQUEST = QUICK.model_copy(update={"hyperparameters": Hyperparameters(epochs=8)})
FONT = ImageFont.load_default(20)
TEXTS = ["A", "AH", "XAH", "HHXA", "XXAAH", "AXHAXH", "HAXXHAAX"]


def line(text: str, seed: int, margin: int = 0) -> bytes:
    """Draw a line as long as its text, with this many empty pixels on all sides."""
    chance = np.random.default_rng(seed)
    width = round(FONT.getlength(text)) + int(chance.integers(4, 12))
    image = Image.new("L", (width + 2 * margin, 26 + 2 * margin), 235)
    place = (margin + int(chance.integers(1, 4)), margin + int(chance.integers(0, 4)))
    ImageDraw.Draw(image).text(place, text, fill=int(chance.integers(0, 70)), font=FONT)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def trained(folder: Path, margin: int = 0) -> tuple[Engine, Manifest]:
    """Train on lines of these texts; return what serves the version."""
    labels = [TEXTS[number % len(TEXTS)] for number in range(140)]
    entries = {f"{n:03}.png": line(text, n, margin) for n, text in enumerate(labels)}
    rows = [f"{n:03}.png,{text}" for n, text in enumerate(labels)]
    entries["labels.csv"] = "\n".join(["filename,text", *rows]).encode()
    dataset = write_zip(folder / "set.zip", entries)
    result = run(REQUEST, context(folder, dataset), Recorder())
    store = ModelStore(folder / "models")
    manifest = store.manifest(result.model, result.version)
    return Engine.load(store.folder(result.model, result.version), manifest), manifest


@pytest.fixture(scope="module")
def following(tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, Manifest]:
    return trained(tmp_path_factory.mktemp("following"))


def confidences(prediction: DecodedText) -> list[float]:
    return [prediction.confidence, *(each.confidence for each in prediction.characters)]


def test_a_line_is_read_alike_alone_and_among_63_others(
    following: tuple[Engine, Manifest],
) -> None:
    engine, manifest = following
    assert manifest.format == 2
    assert manifest.image.resize == "follow"
    assert manifest.image.width == 4 * manifest.time_steps
    images = [line(TEXTS[n % len(TEXTS)], 1000 + n) for n in range(64)]
    together = engine.predict(images)
    for image, among in zip(images, together, strict=True):
        [alone] = engine.predict([image])
        assert alone.text == among.text
        assert np.allclose(confidences(alone), confidences(among), atol=1e-5)
    right = sum(p.text == TEXTS[n % len(TEXTS)] for n, p in enumerate(together))
    assert right > 32


def test_each_character_is_located_within_its_own_image(following: tuple[Engine, Manifest]) -> None:
    engine, _ = following
    for prediction in engine.predict([line(text, 5) for text in TEXTS[2:]]):
        middles = [(one.start + one.end) / 2 for one in prediction.characters]
        even = (np.arange(len(middles)) + 0.5) / len(middles)
        assert np.allclose(middles, even, atol=0.2)


def test_the_margins_that_all_images_have_are_cut_off(tmp_path: Path) -> None:
    engine, manifest = trained(tmp_path, margin=60)
    region = manifest.image.region
    assert region is not None
    assert 0.2 < region.top < 0.46
    assert 0.56 < region.bottom < 0.8
    images = [line(TEXTS[n % len(TEXTS)], 2000 + n, 60) for n in range(35)]
    predictions = engine.predict(images)
    assert sum(p.text == TEXTS[n % len(TEXTS)] for n, p in enumerate(predictions)) > 17
    spots = [one.start for p in predictions for one in p.characters]
    assert min(spots) > region.left - 1e-9
    assert max(spots) < region.right
