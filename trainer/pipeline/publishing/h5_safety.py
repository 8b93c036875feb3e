"""Checks a foreign Keras h5 before Keras opens it, without TensorFlow.

Keras builds whatever the file's configuration names, at any size. So its classes, modules and
numbers must be ones that text recognition needs, and all its data must be in the file itself.
"""

import json
from pathlib import Path
from typing import Any

import h5py

from shared.errors import ModelFileError, ReadsmithError, first_line

MAX_MODEL_BYTES = 200_000_000
"""For the file, and for all its weights together."""
MAX_CONFIG_BYTES = 2_000_000
MAX_LINKS = 10_000
MAX_DEPTH = 30
"""Of groups in one another; Keras writes 6, and one more for each layer that wraps another."""
MAX_PATH = 200
"""Characters of an object's path that an error quotes."""
MAX_NUMBER = 100_000
"""Units, filters, pixels: the largest number allowed in the configuration, except for seeds."""

MODELS = frozenset({"Functional", "Model", "Sequential"})
LAYERS = frozenset({
    "Activation", "Add", "AveragePooling2D", "BatchNormalization", "Bidirectional", "Concatenate",
    "Conv1D", "Conv2D", "Dense", "DepthwiseConv2D", "Dropout", "ELU", "GRU", "InputLayer", "LSTM",
    "LayerNormalization", "LeakyReLU", "MaxPooling2D", "Multiply", "PReLU", "Permute", "ReLU",
    "Rescaling", "Reshape", "SeparableConv1D", "SeparableConv2D", "Softmax", "SpatialDropout2D",
    "TimeDistributed", "ZeroPadding2D",
})  # fmt: skip
PARTS_OF_LAYERS = frozenset({
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal",
    "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal",
    "VarianceScaling", "Zeros", "L1", "L1L2", "L2", "DTypePolicy", "__keras_tensor__",
})  # fmt: skip
"""Initializers, regularizers, dtypes, and references to other layers' outputs."""
MODULES = frozenset({"keras", "keras.initializers", "keras.layers", "keras.regularizers"})


def require_harmless(path: Path) -> None:
    """Raise ReadsmithError (model_unreadable, model_not_allowed, model_too_large) if unsafe."""
    try:
        with h5py.File(path) as file:
            _require_self_contained(file)
            text = _configuration(file)
        config = json.loads(text)
    except ReadsmithError:
        raise
    except RecursionError as error:
        raise _unreadable(path, "its model_config is nested too deeply") from error
    except Exception as error:  # h5py raises errors of many kinds on damaged files
        raise _unreadable(path, first_line(error)) from error
    _require_model(config)


def _require_self_contained(file: h5py.File) -> None:
    """Reject links, data in other files, and weights of more than MAX_MODEL_BYTES.

    HDF5 can link to any file that the process may read, and compresses zeros to almost nothing.
    """
    # Not visititems: it took ten minutes for 20,000 groups in one another.
    links = size = 0
    seen: set[int] = set()
    todo: list[tuple[str, int, h5py.Group]] = [("", 0, file)]
    while todo:
        path, depth, group = todo.pop()
        links += len(group)
        if links > MAX_LINKS:
            raise _too_large(f"It holds more than {MAX_LINKS:,} objects.")
        if depth > MAX_DEPTH:
            raise _too_large(f"It nests groups more than {MAX_DEPTH} levels deep.")
        for name in group:
            here = f"{path}/{name}".lstrip("/")[-MAX_PATH:]
            item = _own_item(group, name, here)
            if (address := h5py.h5o.get_info(item.id).addr) in seen:  # a group may hold itself
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                todo.append((here, depth + 1, item))
            elif isinstance(item, h5py.Dataset):
                size += _own_bytes(item, here)
                if size > MAX_MODEL_BYTES:
                    raise _too_large(
                        f"Its weights, with {here}, have more than {MAX_MODEL_BYTES:,} bytes."
                    )


def _own_item(group: h5py.Group, name: str, path: str) -> h5py.HLObject:
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise _not_allowed(f"{path} is a link to another object ({type(link).__name__}).")
    return group[name]


def _own_bytes(weights: h5py.Dataset, path: str) -> int:
    if weights.external or weights.is_virtual:
        raise _not_allowed(f"The data of {path} is in another file.")
    return int(weights.nbytes)


def _configuration(file: h5py.File) -> str:
    text = file.attrs.get("model_config")
    if isinstance(text, bytes):
        text = text.decode()
    if not isinstance(text, str):
        raise ValueError("it has no model_config, so it holds weights at most")
    if len(text) > MAX_CONFIG_BYTES:
        raise _too_large(f"Its model_config has {len(text):,} characters.")
    return text


def _require_model(config: Any) -> None:
    """Check the configuration: one model, of allowed layers, of reasonable sizes."""
    if not isinstance(config, dict) or str(config.get("class_name")) not in MODELS:
        raise _not_allowed("Its model_config is not that of a functional or sequential model.")
    # A list, not recursion: hostile configurations are nested deeply.
    todo = [("model_config", value) for value in config.values()]
    while todo:
        key, value = todo.pop()
        if isinstance(value, dict):
            _require_allowed(value)
            todo.extend(value.items())
        elif isinstance(value, list):
            todo.extend((key, one) for one in value)
        elif isinstance(value, int | float) and key != "seed" and not abs(value) <= MAX_NUMBER:
            raise _too_large(f"In its model_config, {key[:40]} is {str(value)[:40]}.")


def _require_allowed(described: dict[str, Any]) -> None:
    """Check a description of a class: a layer, an initializer, a dtype."""
    name = str(described.get("class_name"))
    if "class_name" in described and name not in LAYERS | PARTS_OF_LAYERS:
        raise _not_allowed(f"It has a {name[:60]!r}, which is not an allowed layer.")
    module = str(described.get("module") or "keras")
    if module not in MODULES:
        raise _not_allowed(f"Its {name[:60]!r} is of module {module[:60]!r}.")
    registered = str(described.get("registered_name") or name)
    if registered != name:
        raise _not_allowed(f"Its {name[:60]!r} is registered as {registered[:60]!r}.")


def _unreadable(path: Path, why: str) -> ReadsmithError:
    return ModelFileError(
        "model_unreadable",
        f"{path.name} is not a Keras model: {why}.",
        "Save the inference model whole with model.save('prediction_model.h5').",
    )


def _not_allowed(message: str) -> ReadsmithError:
    return ModelFileError(
        "model_not_allowed",
        message,
        "Save only the inference model, in one file, as one model of these Keras layers: "
        f"{', '.join(sorted(LAYERS))}.",
    )


def _too_large(message: str) -> ReadsmithError:
    return ModelFileError(
        "model_too_large",
        message,
        f"A model may have {MAX_MODEL_BYTES:,} bytes of weights, and no size above {MAX_NUMBER:,}.",
    )
