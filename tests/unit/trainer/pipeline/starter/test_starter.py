import random

import keras
import numpy as np
import pytest

from shared.recognition.decoding import decode
from shared.recognition.image_spec import ImageSpec
from shared.recognition.preprocessing import fit, open_image
from shared.recognition.scoring import Score
from shared.recognition.vocabulary import Vocabulary
from shared.store.builtin import STARTER, STARTERS, UNTRAINED, builtin_store
from shared.store.manifest import verify_files
from tests.support.labelled_images import image
from trainer.pipeline.datasets.dataset import Base, Rehearsal
from trainer.pipeline.datasets.inputs.image_spec import STARTER_HEIGHT
from trainer.pipeline.networks.inference import predict
from trainer.pipeline.networks.presets import PRESETS
from trainer.pipeline.starter.drawing import CHARACTERS
from trainer.pipeline.training.base import copy_weights, load_starter, weights_of
from trainer.schemas.job_request import PresetName

SPEC = ImageSpec(height=STARTER_HEIGHT, width=96, channels=1, resize="stretch", standardize=True)


def reader(characters: str, preset: PresetName = "conv") -> keras.Model:
    model = PRESETS[preset].build_model(SPEC, Vocabulary(characters).classes)
    return keras.Model(model.inputs[0], model.get_layer("ctc_loss").input[1])


def loaded(preset: PresetName) -> Base:
    starter = load_starter(preset)
    assert starter is not None
    return starter


@pytest.mark.parametrize("preset", ["conv", "conv-large"])
def test_the_weights_in_the_package_are_whole_and_fit_their_preset(preset: PresetName) -> None:
    store, name = builtin_store(), STARTERS[preset]
    version = store.current(name)
    assert version is not None
    manifest, folder = store.manifest(name, version), store.folder(name, version)
    verify_files(folder, manifest.files)
    starter = loaded(preset)
    assert set(starter.vocabulary.characters) <= set(CHARACTERS)
    model = reader("2ab", preset)
    copy_weights(starter, model, Vocabulary("2ab"))
    copied = weights_of(model)
    for name, arrays in starter.weights.items():
        if name != "output":
            assert all(map(np.array_equal, arrays, copied[name]))


def test_what_is_said_of_the_starter_is_what_was_measured() -> None:
    store = builtin_store()
    measured = store.manifest(STARTER, store.versions(STARTER)[-1]).parameters
    for name, what in (
        ("captcha_images_v2.zip, exact match, free", "captchas"),
        ("plates.zip, exact match after the first sign, free", "license plates"),
        ("receipts.zip, exact match, spaces ignored, free", "receipt lines"),
    ):
        assert f"{measured[name]:.0%} of {what}".replace("%", " %") in UNTRAINED


def test_the_starters_add_little_to_the_package() -> None:
    files = [path for path in builtin_store().root.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 8_000_000


def test_a_reader_of_colour_starts_from_it_and_reads_gray_as_it_does() -> None:
    vocabulary = loaded("conv").vocabulary
    spec = SPEC.model_copy(update={"channels": 3})
    colour = PRESETS["conv"].build_model(spec, vocabulary.classes)
    colour = keras.Model(colour.inputs[0], colour.get_layer("ctc_loss").input[1])
    gray = reader("".join(vocabulary.characters))
    for model in (colour, gray):
        copy_weights(loaded("conv"), model, vocabulary)
    pixels = np.random.default_rng(0).integers(0, 256, (2, STARTER_HEIGHT, 96, 1), np.uint8)
    expected = predict(gray, list(pixels), SPEC)
    assert np.allclose(predict(colour, list(pixels.repeat(3, axis=3)), spec), expected, atol=1e-4)


def test_known_characters_keep_their_weights_and_new_ones_start_fresh() -> None:
    known, wanted = Vocabulary("xyz"), Vocabulary("zéx")
    old = reader("xyz")
    base = Base("m/1", SPEC, known, weights_of(old), frozenset(), Rehearsal())
    new = reader("zéx")
    fresh = weights_of(new)["output"]
    copy_weights(base, new, wanted)
    kernel, bias = weights_of(new)["output"]
    old_kernel, old_bias = base.weights["output"]
    assert np.array_equal(kernel[:, [0, 2, 3]], old_kernel[:, [2, 0, 3]])
    assert np.array_equal(bias[[0, 2, 3]], old_bias[[2, 0, 3]])
    assert np.array_equal(kernel[:, 1], fresh[0][:, 1])


@pytest.mark.parametrize("characters", ["ABCDEFGHKM", "0123456789"])
def test_a_model_started_from_it_reads_drawn_text_before_any_training(characters: str) -> None:
    vocabulary = Vocabulary(characters)
    model = reader(characters)
    copy_weights(loaded("conv"), model, vocabulary)
    chance = random.Random(0)
    labels = ["".join(chance.choices(characters, k=4)) for _ in range(40)]
    images = [fit(open_image(image(text, (96, 32), i)), SPEC) for i, text in enumerate(labels)]
    predictions = decode(predict(model, images, SPEC), vocabulary)
    score = Score.of((text, r.text) for text, r in zip(labels, predictions, strict=True))
    assert score.cer < 0.3
