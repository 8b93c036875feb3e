"""What a model reads in images, and what was measured on the test part."""

from dataclasses import dataclass

from shared.store.manifest import Calibration, Metrics


@dataclass(frozen=True)
class LabelledPrediction:
    """What the trained model read in one labelled image."""

    file: str
    truth: str
    """The image's label."""
    text: str
    confidence: float
    """Calibrated."""

    @property
    def correct(self) -> bool:
        """True if the whole text is right."""
        return self.text == self.truth


@dataclass(frozen=True)
class Evaluation:
    """The test part, measured once, and what the other parts tell beside it."""

    metrics: Metrics
    calibration: Calibration
    predictions: tuple[LabelledPrediction, ...]
    """Of the test part."""
    suspects: tuple[LabelledPrediction, ...]
    """Images of the training and validation parts that are read surely and otherwise than their
    labels say, the surest first."""
