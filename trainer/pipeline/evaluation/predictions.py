"""A model's predictions for labelled images, and its evaluation."""

from dataclasses import dataclass

from shared.store.manifest import AllowedFigures, Calibration, DetectionFigures, Learned, Metrics


@dataclass(frozen=True)
class LabelledPrediction:
    """The trained model's prediction for one labelled image."""

    file: str
    truth: str
    """The image's label."""
    text: str
    confidence: float
    """Calibrated."""

    @property
    def correct(self) -> bool:
        """Whether the whole text is correct."""
        return self.text == self.truth


@dataclass(frozen=True)
class Evaluation:
    """The results on the test part, measured once, and suspect labels in the other parts.

    Or, in folds, on all images.
    """

    metrics: Metrics
    calibration: Calibration
    predictions: tuple[LabelledPrediction, ...]
    """Of the test part, or of each fold by the network that has not learned from it."""
    published: tuple[LabelledPrediction, ...]
    """Of the same images by the published model, which its files must repeat."""
    learned: Learned | None
    """None where the images are too few to tell."""
    allowed: AllowedFigures | None
    """None without a list of allowed texts."""
    detection: DetectionFigures | None
    """None without a detector."""
    suspects: tuple[LabelledPrediction, ...]
    """Predictions of training and validation images that contradict their labels with confidence,
    the most confident first."""
