"""Publishes a trained starter into the package, as a bundle like any other. Imports TensorFlow."""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.recognition.decoding import DecodedText, decode
from shared.recognition.scoring import Score, wilson_interval
from shared.store.builtin import STARTER, builtin_store
from shared.store.manifest import GOLDEN_PREDICTIONS, FileEntry, GoldenPrediction, Manifest, Metrics
from trainer.pipeline.networks.ctc import PADDING
from trainer.pipeline.networks.inference import predict
from trainer.pipeline.networks.keras_files import write_models
from trainer.pipeline.publishing.export import GOLDEN_IMAGES, library_versions
from trainer.pipeline.starter.drawn_set import SPEC, VOCABULARY, DrawnSet


def texts_of(labels: NDArray[np.int32]) -> list[str]:
    """Return the texts of encoded labels (N, LONGEST)."""
    return [VOCABULARY.decode(int(c) for c in row if c != PADDING) for row in labels]


def publish(
    model: Any, checked: DrawnSet, parameters: dict[str, int | float], seconds: float
) -> None:
    """Measure the model on images it was not trained on and publish it as the next version.

    seconds: the time it was trained.
    """
    pixels, labels = checked
    truths = texts_of(labels)
    predictions = decode(predict(model, pixels, SPEC), VOCABULARY)
    metrics = _metrics(truths, predictions, parameters, seconds)
    lengths = Counter(map(len, truths))

    def manifest(version: int, files: dict[str, FileEntry]) -> Manifest:
        return Manifest(
            model=STARTER,
            version=version,
            job_id=job_id,
            attempt=1,
            created_at=datetime.now(UTC),
            origin="trained",
            preset="conv",
            base=None,
            dataset=f"{parameters['images']:,} texts drawn in the fonts of Python packages",
            vocabulary=VOCABULARY.characters,
            blank_index=VOCABULARY.blank_index,
            image=SPEC,
            time_steps=int(model.output_shape[1]),
            label_lengths={str(length): count for length, count in sorted(lengths.items())},
            metrics=metrics,
            seed=0,
            parameters=dict(parameters),
            libraries=library_versions(),
            files=files,
        )

    job_id = f"make-starter-{time.time_ns()}"
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder)
        write_models(model, build)
        _write_golden(build, pixels, truths, predictions)
        builtin_store().publish(build, manifest, model=STARTER, job_id=job_id)


def _metrics(
    truths: Sequence[str],
    predictions: Sequence[DecodedText],
    parameters: dict[str, int | float],
    seconds: float,
) -> Metrics:
    score = Score.of((truth, r.text) for truth, r in zip(truths, predictions, strict=True))
    images, epochs = int(parameters["images"]), int(parameters["epochs"])
    return Metrics(
        train_images=images,
        validation_images=0,
        test_images=score.images,
        exact_match=score.exact_match,
        exact_match_interval=wilson_interval(score.exact, score.images),
        cer=score.cer,
        mean_confidence=float(np.mean([prediction.confidence for prediction in predictions])),
        validation_exact_match=0.0,
        train_seconds=round(seconds, 3),
        images_per_second=round(images * epochs / seconds, 3),
        epochs=epochs,
    )


def _write_golden(
    build: Path,
    pixels: NDArray[np.uint8],
    truths: Sequence[str],
    predictions: Sequence[DecodedText],
) -> None:
    (build / "golden").mkdir()
    golden = []
    for index in range(GOLDEN_IMAGES):
        file = f"golden/{index + 1:04}.png"
        Image.fromarray(pixels[index, ..., 0]).save(build / file)
        golden.append(
            GoldenPrediction(
                file=file,
                truth=truths[index],
                text=predictions[index].text,
                confidence=predictions[index].confidence,
            ).model_dump()
        )
    (build / GOLDEN_PREDICTIONS).write_text(json.dumps(golden, ensure_ascii=False, indent=2))
