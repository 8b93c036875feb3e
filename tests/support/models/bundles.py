"""Real, tiny bundles for tests: a graph that reads gray stripes, and images of such stripes.

A text is drawn as stripes 8 pixels wide: each character's gray, each followed by white, which is
the blank. The graph takes every stripe's mean and answers with the class of the nearest gray.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from shared.atomic_files import read_small, write_atomically
from shared.recognition.image_spec import ImageSpec
from shared.recognition.vocabulary import Vocabulary
from shared.store.manifest import (
    GOLDEN_PREDICTIONS,
    KERAS_MODEL,
    MANIFEST,
    MOST_BYTES,
    ONNX_MODEL,
    Calibration,
    CalibrationError,
    FileEntry,
    GoldenPrediction,
    Manifest,
    Metrics,
    Threshold,
)
from shared.store.records.records import RECORD
from shared.store.store import ModelStore

STRIPE = 8
HEIGHT = 16
LENGTH = 4
"""Most characters in an image."""
TIME_STEPS = 2 * LENGTH
WIDTH = STRIPE * TIME_STEPS
SPEC = ImageSpec(height=HEIGHT, width=WIDTH, channels=1, resize="stretch", standardize=False)


def image(text: str, characters: str = "abc") -> Image.Image:
    """Draw a text of at most LENGTH characters, gray on white."""
    pixels = np.full((HEIGHT, WIDTH), 255, dtype=np.uint8)
    for place, character in enumerate(text):
        start = 2 * STRIPE * place
        gray = round(255 * characters.index(character) / len(characters))
        pixels[:, start : start + STRIPE] = gray
    return Image.fromarray(pixels)


def encoded(image: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    """Return the image as a file's bytes."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def png(text: str, characters: str = "abc") -> bytes:
    """Draw a text as a PNG file."""
    return encoded(image(text, characters))


def onnx_graph(
    characters: str = "abc", *, time_steps: int = TIME_STEPS, sharpness: float = 400.0
) -> bytes:
    """Return the graph: float32 (N, 16, 64, 1) → softmax (N, time_steps, classes)."""
    levels = np.arange(len(characters) + 1, dtype=np.float32) / len(characters)
    constants = {
        "over_height": np.array([1, 3], dtype=np.int64),
        "stripes": np.array([0, time_steps, -1], dtype=np.int64),
        "over_stripe": np.array([2], dtype=np.int64),
        "levels": levels,
        "sharpness": np.float32(-sharpness),
    }
    nodes = [
        helper.make_node("ReduceMean", ["image", "over_height"], ["columns"], keepdims=0),
        helper.make_node("Reshape", ["columns", "stripes"], ["blocks"]),
        helper.make_node("ReduceMean", ["blocks", "over_stripe"], ["means"], keepdims=1),
        helper.make_node("Sub", ["means", "levels"], ["distances"]),
        helper.make_node("Mul", ["distances", "distances"], ["squares"]),
        helper.make_node("Mul", ["squares", "sharpness"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "stripes",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *SPEC.shape])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", None, None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def calibration(temperature: float = 1.0) -> Calibration:
    """Return a calibration that was measured on four images, all read right."""
    measured = CalibrationError(images=2, before=0.1, after=0.05)
    row = Threshold(threshold=0.0, images=4, accepted=1.0, wrong=0.0, wrong_interval=(0.0, 0.49))
    return Calibration(
        temperature=temperature, bins=10, validation=measured, test=measured, thresholds=(row,)
    )


def bundle_files(characters: str = "abc") -> dict[str, bytes]:
    """Return the files of a good bundle, without its manifest."""
    texts = [characters[:LENGTH], characters[0] * 2, characters[-1]]
    golden = [
        GoldenPrediction(file=f"golden/{number:04}.png", truth=text, text=text, confidence=1.0)
        for number, text in enumerate(texts, 1)
    ]
    return {
        KERAS_MODEL: b"\x89HDF\r\n\x1a\n, of which nothing is read here",
        ONNX_MODEL: onnx_graph(characters),
        GOLDEN_PREDICTIONS: json.dumps([each.model_dump() for each in golden]).encode(),
        **{each.file: png(each.truth, characters) for each in golden},
    }


def manifest(
    version: int,
    files: Mapping[str, FileEntry],
    *,
    model: str = "default",
    characters: str = "abc",
    job_id: str = "job-1",
) -> Manifest:
    """Return the manifest of a good bundle."""
    vocabulary = Vocabulary(characters)
    return Manifest(
        model=model,
        version=version,
        job_id=job_id,
        attempt=1,
        created_at=datetime.now(UTC),
        origin="trained",
        preset="stripes",
        base=None,
        dataset="gray stripes",
        vocabulary=vocabulary.characters,
        blank_index=vocabulary.blank_index,
        image=SPEC,
        time_steps=TIME_STEPS,
        label_lengths={"1": 1, "2": 1, str(min(LENGTH, len(characters))): 1},
        metrics=Metrics(
            train_images=8,
            validation_images=1,
            test_images=3,
            exact_match=1.0,
            exact_match_interval=(0.44, 1.0),
            cer=0.0,
            mean_confidence=1.0,
            validation_exact_match=1.0,
            train_seconds=0.1,
            images_per_second=80.0,
            epochs=1,
        ),
        seed=0,
        parameters={},
        libraries={"onnx": onnx.__version__},
        files=dict(files),
    )


def serve_as_it_is(store: ModelStore, version: int, model: str = "default") -> None:
    """Write to a folder's record that a version is served, with whatever manifest it has now."""
    path = store.root / model / RECORD
    record = json.loads(path.read_bytes())
    record["current"] = version
    with suppress(OSError):
        data = read_small(store.folder(model, version) / MANIFEST, MOST_BYTES)
        sha256 = hashlib.sha256(data).hexdigest()
        record["versions"][str(version)] = {"manifest_sha256": sha256, "job_id": "by hand"}
    write_atomically(path, json.dumps(record).encode())


def imported(manifest: Manifest) -> Manifest:
    """Change a manifest to one of a model from elsewhere, which needs no golden predictions."""
    return manifest.model_copy(update={"origin": "imported"})


def publish(
    store: ModelStore,
    build: Path,
    *,
    model: str = "default",
    characters: str = "abc",
    job_id: str | None = None,
    files: Mapping[str, bytes] | None = None,
    change: Callable[[Manifest], Manifest] = lambda manifest: manifest,
    promote: bool = True,
) -> Manifest:
    """Publish a bundle as the model's next version and, unless told otherwise, make it current.

    build: an empty or missing folder. files replaces some of the good bundle's files; change gets
    the manifest before it is written. Each version is a job of its own unless job_id is given.
    """
    for name, data in {**bundle_files(characters), **(files or {})}.items():
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_bytes(data)
    job = job_id or f"job-{build.name}-{max(store.versions(model), default=0) + 1}"
    return store.publish(
        build,
        lambda version, entries: change(
            manifest(version, entries, model=model, characters=characters, job_id=job)
        ),
        model=model,
        job_id=job,
        promote=lambda current: promote,
    )
