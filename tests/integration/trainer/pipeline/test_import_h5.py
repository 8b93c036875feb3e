import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import onnxruntime
import pytest
from keras import layers

from shared.errors import ReadsmithError
from shared.recognition.preprocessing import preprocess
from shared.recognition.vocabulary import UNKNOWN
from shared.store.manifest import KERAS_MODEL, ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.labelled_images import image
from trainer.pipeline.publishing.import_h5 import adopt

CHARACTERS = "2345678bcdefgmnpwxy"


@pytest.fixture(scope="module")
def tutorial_h5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inference model saved as the tutorial would: (200, 50, 1), 21 classes, blank last."""
    images = x = layers.Input(shape=(200, 50, 1), name="image", dtype="float32")
    x = layers.Conv2D(8, (3, 3), activation="relu", padding="same", name="Conv1")(x)
    x = layers.MaxPooling2D((4, 4), name="pool1")(x)
    x = layers.Reshape((50, 96), name="reshape")(x)
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True, dropout=0.25))(x)
    x = layers.Dense(len(CHARACTERS) + 2, activation="softmax", name="dense2")(x)
    path: Path = tmp_path_factory.mktemp("h5") / "prediction_model.h5"
    keras.Model(images, x).save(path)
    return path


def test_a_tutorial_h5_becomes_a_version_that_gives_the_same_output(
    tutorial_h5: Path, tmp_path: Path
) -> None:
    store = ModelStore(tmp_path)
    manifest = adopt(tutorial_h5, CHARACTERS, store, "old")
    assert manifest.vocabulary == (UNKNOWN, *CHARACTERS)
    assert manifest.blank_index == 20
    assert (manifest.image.width, manifest.image.height, manifest.image.layout) == (200, 50, "WHC")
    assert (manifest.origin, manifest.time_steps) == ("imported", 50)
    folder = store.folder("old", 1)
    assert (folder / KERAS_MODEL).read_bytes() == tutorial_h5.read_bytes()
    inputs = preprocess(image("2b", (200, 50)), manifest.image)[np.newaxis]
    session = onnxruntime.InferenceSession(folder / ONNX_MODEL)
    served = session.run(None, {session.get_inputs()[0].name: inputs})[0]
    expected = keras.models.load_model(tutorial_h5, compile=False).predict(inputs, verbose=0)
    assert served == pytest.approx(expected, abs=1e-4)


def test_an_h5_of_keras_2_is_understood(tutorial_h5: Path, tmp_path: Path) -> None:
    old = tmp_path / "keras2.h5"
    shutil.copy(tutorial_h5, old)
    with h5py.File(old, "r+") as file:
        config = file.attrs["model_config"].replace(
            '"return_sequences": true', '"return_sequences": true, "time_major": false'
        )
        file.attrs["model_config"] = config
    assert adopt(old, CHARACTERS, ModelStore(tmp_path / "store"), "old").time_steps == 50


def test_a_vocabulary_of_the_wrong_size_is_refused_with_the_right_one(
    tutorial_h5: Path, tmp_path: Path
) -> None:
    with pytest.raises(ReadsmithError, match="21 classes; the vocabulary has 3") as caught:
        adopt(tutorial_h5, "abc", ModelStore(tmp_path), "old")
    assert "give 19 or 20 characters" in caught.value.hint
    assert ModelStore(tmp_path).models() == []


@pytest.mark.parametrize("vocabulary", ["", "aa"])
def test_a_vocabulary_that_is_none_is_refused(
    vocabulary: str, tutorial_h5: Path, tmp_path: Path
) -> None:
    with pytest.raises(ReadsmithError, match="not valid"):
        adopt(tutorial_h5, vocabulary, ModelStore(tmp_path), "old")


def test_the_name_of_the_starter_is_taken(tutorial_h5: Path, tmp_path: Path) -> None:
    with pytest.raises(ReadsmithError, match="should be another name"):
        adopt(tutorial_h5, CHARACTERS, ModelStore(tmp_path), "starter")


def test_what_is_no_keras_model_is_refused(tmp_path: Path, tutorial_h5: Path) -> None:
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "cut.h5").write_bytes(tutorial_h5.read_bytes()[:2000])
    for name in ("text.h5", "cut.h5"):
        with pytest.raises(ReadsmithError) as caught:
            adopt(tmp_path / name, CHARACTERS, ModelStore(tmp_path / "store"), "old")
        assert caught.value.code == "model_unreadable"
    with pytest.raises(ReadsmithError, match="cannot be read"):
        adopt(tmp_path / "gone.h5", CHARACTERS, ModelStore(tmp_path / "store"), "old")


def test_a_keras_archive_is_told_the_line_that_converts_it(
    tutorial_h5: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "prediction model.keras"
    keras.models.load_model(tutorial_h5, compile=False).save(archive)
    with pytest.raises(ReadsmithError, match=r"is a \.keras archive") as caught:
        adopt(archive, CHARACTERS, ModelStore(tmp_path / "store"), "old")
    command = caught.value.hint.removeprefix("Save it as h5: ")
    code = shlex.split(command)[2]
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    manifest = adopt(archive.with_suffix(".h5"), CHARACTERS, ModelStore(tmp_path / "store"), "old")
    assert (manifest.model, manifest.version) == ("old", 1)


def test_a_model_that_does_not_map_images_to_probabilities_is_refused(tmp_path: Path) -> None:
    images = layers.Input(shape=(20,))
    keras.Model(images, layers.Dense(3)(images)).save(tmp_path / "flat.h5")
    with pytest.raises(ReadsmithError) as caught:
        adopt(tmp_path / "flat.h5", "ab", ModelStore(tmp_path / "store"), "old")
    assert caught.value.code == "model_shape"
