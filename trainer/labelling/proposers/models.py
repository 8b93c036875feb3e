"""Models as proposers: the starter, and the served version of the dataset's own model."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.recognition.decoding import decode
from shared.recognition.image_spec import ImageSpec
from shared.recognition.preprocessing import fit
from shared.recognition.vocabulary import Vocabulary
from shared.store.builtin import STARTERS, builtin_store
from shared.store.manifest import (
    MODEL_NAME_PATTERN,
    ONNX_MODEL,
    SEEN_IMAGES,
    Manifest,
    verify_files,
)
from shared.store.store import ModelStore
from trainer.labelling.proposers.interface import Guess
from trainer.pipeline.datasets.clean import image_hash
from trainer.pipeline.datasets.labels.vocabulary import choose_vocabulary
from trainer.pipeline.datasets.seen_images import HASH_LENGTH, read_seen_images
from trainer.pipeline.networks.inference import OnnxGraph, limit_for_graphs, predict
from trainer.schemas.job_request import JobRequest
from trainer.subprocesses import in_clean_process


@dataclass(frozen=True)
class ModelProposer:
    """A published version, which reads in a process of its own: its graph may be hostile."""

    name: str
    folder: Path
    manifest: Manifest
    seen: frozenset[str] = frozenset()
    """Hashes of the images that it was trained on."""
    characters: Collection[str] = ()
    """Those that texts may have; empty: all that it knows."""

    def read(self, images: Iterable[Image.Image]) -> list[Guess]:
        """Predict; raises ReadsmithError process_died."""
        pixels = [fit(image, self.manifest.image) for image in images]
        if not pixels:
            return []
        output = in_clean_process(_run, self.folder / ONNX_MODEL, pixels, self.manifest.image)
        vocabulary = self.manifest.model_vocabulary()
        output = _limited(output, vocabulary, self.characters)
        found = decode(output, vocabulary, self.manifest.temperature)
        return [Guess(one.text, one.confidence) for one in found]

    def has_learned_from(self, image: Image.Image) -> bool:
        """Return whether it was trained on the image."""
        return bool(self.seen) and image_hash(image)[:HASH_LENGTH] in self.seen


def starter(texts: Collection[str]) -> ModelProposer:
    """Return the starter, which reads the characters of the texts and their kin; none: all."""
    store, name = builtin_store(), STARTERS["conv-large"]
    version = store.versions(name)[-1]
    characters: Collection[str] = ()
    if texts:
        characters = choose_vocabulary(texts, JobRequest(preset="conv-large"), None).characters
    manifest = store.manifest(name, version)
    return ModelProposer("starter", store.folder(name, version), manifest, characters=characters)


def served(store: ModelStore, model: str) -> ModelProposer | None:
    """Return the served version of a model; None without one, or if it looks for lines itself.

    model: any text, as people name datasets. Raises BundleError or StorageError.
    """
    # Not every name of a dataset can be a model's, and a path must never become one.
    named = re.fullmatch(MODEL_NAME_PATTERN, model)
    version = store.current_if_known(model) if named else None
    if version is None:
        return None
    manifest, folder = store.manifest(model, version), store.folder(model, version)
    if manifest.detector is not None:
        return None
    needed = {ONNX_MODEL, SEEN_IMAGES} & set(manifest.files)
    verify_files(folder, {name: manifest.files[name] for name in needed})
    name = f"model {model} version {version}"
    return ModelProposer(name, folder, manifest, read_seen_images(folder))


def _run(graph: Path, pixels: Sequence[NDArray[np.uint8]], image: ImageSpec) -> NDArray[np.float32]:
    """Return the graph's output. For a clean process."""
    limit_for_graphs(len(pixels))
    return predict(OnnxGraph(graph), pixels, image)


def _limited(
    output: NDArray[np.float32], vocabulary: Vocabulary, characters: Collection[str]
) -> NDArray[np.float32]:
    """Return the output with probabilities for some characters and the blank only."""
    if not characters:
        return output
    known = [each for each in characters if each in vocabulary.characters]
    allowed = np.zeros(output.shape[2], np.float32)
    allowed[[*(vocabulary.encode(each)[0] for each in known), vocabulary.blank_index]] = 1
    output = output * allowed
    return np.asarray(output / np.maximum(output.sum(axis=2, keepdims=True), 1e-9), np.float32)
