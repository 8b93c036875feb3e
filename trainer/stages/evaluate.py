"""Stage 4: measure the trained model on the test part, once."""

import numpy as np

from shared.decoding import decode
from shared.manifest import Metrics
from shared.scoring import Score, wilson_interval
from trainer.dataset import Dataset
from trainer.inference import load_pixels, predict
from trainer.training import Evaluation, TestReading, Trained


def evaluate(trained: Trained, dataset: Dataset) -> Evaluation:
    """Read every image of the test part with the trained model."""
    pixels = load_pixels(dataset.source, dataset.test, dataset.image)
    output = predict(trained.model, pixels, dataset.image)
    readings = tuple(
        TestReading(image.name, image.label, reading.text, reading.confidence)
        for image, reading in zip(dataset.test, decode(output, dataset.vocabulary), strict=True)
    )
    score = Score.of((reading.truth, reading.text) for reading in readings)
    metrics = Metrics(
        train_images=len(dataset.train),
        validation_images=len(dataset.validation),
        test_images=len(dataset.test),
        exact_match=score.exact_match,
        exact_match_interval=wilson_interval(score.exact, score.images),
        cer=score.cer,
        mean_confidence=float(np.mean([reading.confidence for reading in readings])),
        validation_exact_match=trained.validation.exact_match,
        train_seconds=round(trained.seconds, 3),
        images_per_second=round(trained.images_per_second, 3),
        epochs=trained.epochs,
    )
    return Evaluation(metrics, readings)
