"""Models as proposers: the served version of the dataset's name, and the starter."""

import io
from pathlib import Path

import pytest
from PIL import Image

from shared.store.manifest import SEEN_IMAGES
from shared.store.store import ModelStore
from tests.support.labelled_images import image as drawn
from tests.support.models.bundles import image, publish
from trainer.labelling.proposers.models import served, starter
from trainer.pipeline.datasets.clean import image_hash


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_the_served_version_of_the_datasets_name_reads(models: ModelStore, tmp_path: Path) -> None:
    publish(models, tmp_path / "build", model="meters")
    proposer = served(models, "meters")
    assert proposer is not None
    assert proposer.name == "model meters version 1"
    guesses = proposer.read(image(text) for text in ("abc", "ca"))
    assert [guess.text for guess in guesses] == ["abc", "ca"]


def test_it_knows_which_images_it_has_learned_from(models: ModelStore, tmp_path: Path) -> None:
    known, new = image("ab"), image("ba")
    seen = {SEEN_IMAGES: f"{image_hash(known)[:16]}\n".encode()}
    publish(models, tmp_path / "build", model="meters", files=seen)
    proposer = served(models, "meters")
    assert proposer is not None
    assert proposer.has_learned_from(known)
    assert not proposer.has_learned_from(new)


@pytest.mark.parametrize("name", ["meters", "Two words", "../models/other", ""])
def test_a_dataset_of_another_name_has_no_served_version(
    models: ModelStore, tmp_path: Path, name: str
) -> None:
    publish(models, tmp_path / "build", model="other")
    assert served(models, name) is None


def test_the_starter_reads_the_characters_of_the_texts_and_their_kin() -> None:
    shown = [Image.open(io.BytesIO(drawn(text))) for text in ("17", "48")]
    [one, other] = starter(["12", "30"]).read(shown)
    assert (one.text + other.text).isdigit()
    assert 0 < one.confidence <= 1
    assert starter([]).read([]) == []
