"""Imports a foreign prediction_model.h5 as a version of a model.

The conventions are those of the Keras captcha tutorial: input (N, W, H, C) in [0, 1], output
softmax (N, T, classes), class 0 an unknown token, then the characters, the blank last.
The file is untrusted: it is checked and opened in a separate process with limits.
"""

import json
import shlex
import tempfile
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from shared.atomic_files import read_small
from shared.child_process import limit_this_process
from shared.errors import (
    ModelFileError,
    NotFoundError,
    ProcessDiedError,
    ReadsmithError,
    first_line,
)
from shared.recognition.image_spec import ImageSpec
from shared.recognition.vocabulary import UNKNOWN, Vocabulary
from shared.store.builtin import not_builtin
from shared.store.manifest import GOLDEN_PREDICTIONS, KERAS_MODEL, ONNX_MODEL, FileEntry, Manifest
from shared.store.store import ModelStore
from trainer.pipeline.publishing.h5_safety import MAX_MODEL_BYTES, require_harmless
from trainer.subprocesses import in_clean_process

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
ZIP_SIGNATURE = b"PK\x03\x04"

MEMORY = 4_000_000_000
CHECK_SECONDS = 60
SECONDS = 600
"""Limits of the process that opens the file: while it is checked, and from then on while Keras
loads and converts it; a usual one takes a tenth of them."""


@dataclass(frozen=True)
class Graph:
    """Shapes of a converted h5; libraries are the versions that converted it."""

    image: ImageSpec
    steps: int
    classes: int
    libraries: dict[str, str]


def adopt(h5: Path, vocabulary: str, store: ModelStore, model: str) -> Manifest:
    """Convert an h5 in a separate process and publish it as the model's next version.

    vocabulary: the characters in class order, without the unknown token and the blank.
    Raises ReadsmithError (model_unreadable, vocabulary_differs, and others).
    """
    require_own_name(model)
    data = _read(h5)
    characters = _distinct(vocabulary)
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder)
        (build / KERAS_MODEL).write_bytes(data)
        graph = _converted(build)
        manifest = _manifest(graph, characters, model)
        (build / "golden").mkdir()
        (build / GOLDEN_PREDICTIONS).write_text(json.dumps([]))
        job_id = f"import-{uuid.uuid4().hex}"

        def numbered(version: int, files: dict[str, FileEntry]) -> Manifest:
            return Manifest.model_validate(
                manifest | {"job_id": job_id, "version": version, "files": files}
            )

        return store.publish(build, numbered, model=model, job_id=job_id)


def require_own_name(model: str) -> str:
    """Return the name of a model to import; raises ModelFileError for one of the package's."""
    try:
        return not_builtin(model)
    except ValueError as error:
        raise ModelFileError(
            "model_name_taken", f"The model name {error}.", "Choose another name with --model."
        ) from None


def _converted(build: Path) -> Graph:
    try:
        return in_clean_process(convert, build)
    except Exception as error:  # Keras and what converts to ONNX raise errors of many kinds
        if not isinstance(error, ReadsmithError):
            why = f"it cannot be converted: {first_line(error)}"
        elif isinstance(error, ProcessDiedError):
            why = (
                f"it takes more than {MEMORY:,} bytes of memory, {CHECK_SECONDS} s to check or "
                f"{SECONDS} s to convert, or is damaged"
            )
        else:
            raise
        raise ModelFileError(
            "model_unreadable", f"The model is rejected: {why}.", "Save only the inference model."
        ) from error


def convert(build: Path) -> Graph:
    """Load the h5, check its shapes and write the ONNX file beside it. For a clean process."""
    limit_this_process(MEMORY, CHECK_SECONDS)
    require_harmless(build / KERAS_MODEL)
    limit_this_process(MEMORY, SECONDS)
    from trainer.pipeline.networks.inference import OnnxGraph  # noqa: PLC0415 - heavy
    from trainer.pipeline.networks.keras_files import (  # noqa: PLC0415 - imports TensorFlow
        load_foreign,
        write_onnx,
    )
    from trainer.pipeline.publishing.export import library_versions  # noqa: PLC0415 - heavy

    model = load_foreign(build / KERAS_MODEL)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelFileError(
            "model_not_inference",
            f"The model has {len(model.inputs)} inputs and {len(model.outputs)} outputs.",
            "Save only the inference model: from the image to the softmax output.",
        )
    if len(model.input_shape) != 4 or len(model.output_shape) != 3:
        raise ModelFileError(
            "model_shape",
            f"The model maps {model.input_shape} to {model.output_shape}.",
            "It must map images (N, W, H, C) to probabilities (N, T, classes).",
        )
    image = _image_spec(model.input_shape)
    write_onnx(model, build)
    # The conventions cannot be read from the file: a batch of zeros shows whether the last layer
    # is a softmax.
    output = OnnxGraph(build / ONNX_MODEL).predict_on_batch(np.zeros((1, *image.shape), np.float32))
    if not np.allclose(output.sum(axis=2), 1.0, atol=1e-3) or output.min() < 0:
        raise ModelFileError(
            "model_not_inference",
            "The model's output is not probabilities.",
            "Its last layer must be a softmax over the classes.",
        )
    return Graph(image, output.shape[1], output.shape[2], library_versions())


def _read(h5: Path) -> bytes:
    if (h5 / "saved_model.pb").is_file():
        raise ModelFileError(
            "model_unreadable",
            f"{h5.name} is a SavedModel of TensorFlow, which is not imported.",
            "Save the model as h5 where it was trained: model.save('prediction_model.h5').",
        )
    try:
        data = read_small(h5, MAX_MODEL_BYTES)
    except OSError as error:
        raise NotFoundError(
            "model_not_found",
            f"{h5} cannot be read: {error.strerror}.",
            f"Give the path of an h5 of at most {MAX_MODEL_BYTES:,} bytes.",
        ) from error
    if data.startswith(ZIP_SIGNATURE):
        raise ModelFileError(
            "model_unreadable",
            f"{h5.name} is a .keras archive, which is not imported.",
            f"Save it as h5: {in_h5(h5)}",
        )
    if not data.startswith(HDF5_SIGNATURE):
        raise ModelFileError(
            "model_unreadable",
            f"{h5.name} is not an HDF5 file.",
            "Give a Keras .h5 file, as model.save('prediction_model.h5') writes it.",
        )
    return data


def in_h5(archive: Path) -> str:
    """Return the command that saves a .keras archive of one's own as h5."""
    source, target = json.dumps(str(archive)), json.dumps(str(archive.with_suffix(".h5")))
    code = f"import keras; keras.models.load_model({source}, compile=False).save({target})"
    return f"python -c {shlex.quote(code)}"


def _distinct(vocabulary: str) -> tuple[str, ...]:
    try:
        return Vocabulary(vocabulary).characters
    except ValueError as error:
        raise ModelFileError(
            "vocabulary_invalid",
            f"The vocabulary {vocabulary!r} is not valid: {error}.",
            "Give the characters in the order of the classes, each once.",
        ) from error


def _manifest(graph: Graph, characters: tuple[str, ...], model: str) -> dict[str, object]:
    if graph.classes == len(characters) + 2:
        characters = (UNKNOWN, *characters)
    elif graph.classes != len(characters) + 1:
        raise ModelFileError(
            "vocabulary_differs",
            f"The model has {graph.classes} classes; "
            f"the vocabulary has {len(characters)} characters.",
            "Classes are an unknown token (if any), the characters, and the blank: "
            f"give {graph.classes - 2} or {graph.classes - 1} characters.",
        )
    return {
        "model": model,
        "attempt": 1,
        "created_at": datetime.now(UTC),
        "origin": "imported",
        "preset": None,
        "base": None,
        "dataset": "imported h5",
        "vocabulary": characters,
        "blank_index": len(characters),
        "image": graph.image,
        "time_steps": graph.steps,
        "label_lengths": {},
        "metrics": None,
        "seed": 0,
        "parameters": {},
        "libraries": graph.libraries,
    }


def _image_spec(shape: tuple[int | None, ...]) -> ImageSpec:
    _, width, height, channels = shape
    if width is None or height is None or channels not in (1, 3):
        raise ModelFileError(
            "model_shape",
            f"The model takes images of shape {shape[1:]}.",
            "The shape must be (W, H, C), fixed, with 1 or 3 channels.",
        )
    try:
        return ImageSpec(
            height=height,
            width=width,
            channels=1 if channels == 1 else 3,
            resize="stretch",
            standardize=False,
            layout="WHC",
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ModelFileError(
            "model_shape",
            f"The model takes images of {width}x{height} pixels.",
            f"Their {first['loc'][0]}: {first['msg']}.",
        ) from error
