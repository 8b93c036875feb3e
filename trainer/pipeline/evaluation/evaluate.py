"""Stage 4: calibrate the trained model, measure it on the test part, and list suspect labels."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from shared.errors import LimitsError
from shared.patterns.limits import Limits
from shared.recognition.decoding import at_temperature, decode
from shared.recognition.scoring import Score, wilson_interval
from shared.recognition.search.allowed_texts import spell_allowed
from shared.store.manifest import (
    GOOD_OVERLAP,
    AllowedFigures,
    Calibration,
    DetectionFigures,
    Metrics,
)
from trainer.pipeline.datasets.dataset import Dataset
from trainer.pipeline.datasets.image_table import LabelledImage
from trainer.pipeline.evaluation.allowed import measure_allowed, read_allowed
from trainer.pipeline.evaluation.calibration import (
    BINS,
    Judged,
    calibration_error,
    fit_temperature,
    judge,
    thresholds,
)
from trainer.pipeline.evaluation.learned import measure_learned
from trainer.pipeline.evaluation.predictions import Evaluation, LabelledPrediction
from trainer.pipeline.networks.inference import joined, outputs
from trainer.pipeline.training.results import Trained
from trainer.schemas.progress import Observer

CALIBRATION_IMAGES = 1000
"""Of the validation part; enough to choose one number."""
SMALL_TEST = 30
"""Test images below which those of the validation part also tell whether the model has learned."""
SUSPECTS = 200
"""Suspect labels that are reported; a user who corrects that many trains again anyway."""
SUSPICIOUS = 0.5
"""A label is suspect if a prediction contradicts it with at least this confidence."""


def evaluate(
    trained: Trained,
    dataset: Dataset,
    observer: Observer,
    allowed: tuple[str, ...] | None = None,
) -> Evaluation:
    """Predict every image with the trained model; only the test part enters the metrics.

    Where the dataset is in folds, each image is predicted by the network that has not learned from
    its fold, and all enter the metrics.
    allowed: the texts of the job's list, whose worth is measured, too.
    Raises CancelledRunError if the job is cancelled.
    """
    evaluator = _Evaluator(trained, dataset, observer)
    before, validation = evaluator.calibrate()
    uncalibrated, predictions = evaluator.predict_test_part()
    published = evaluator.predict_as_published(predictions)
    missed = evaluator.missed()
    predictions += missed
    uncalibrated += [(each.confidence, each.correct) for each in missed]
    # The validation part has chosen the weights only: good enough to tell learning from chance.
    told_by = [] if len(predictions) >= SMALL_TEST else evaluator.predict(dataset.validation)
    test = [(prediction.confidence, prediction.correct) for prediction in predictions]
    calibration = Calibration(
        temperature=evaluator.temperature,
        bins=BINS,
        validation=calibration_error(before, validation),
        test=calibration_error(uncalibrated, test),
        # Both parts: rare mistakes take all the images there are.
        thresholds=thresholds(test if dataset.folds else [*validation, *test]),
    )
    return Evaluation(
        metrics=_metrics(trained, dataset, predictions),
        calibration=calibration,
        predictions=tuple(predictions),
        published=published,
        learned=measure_learned([*predictions, *told_by], trained.parameters.seed),
        allowed=evaluator.measure_list(allowed) if allowed else None,
        detection=evaluator.measure_detector(),
        suspects=tuple(heapq.nlargest(SUSPECTS, evaluator.suspects(), attrgetter("confidence"))),
    )


Predicted = tuple[Sequence[LabelledImage], NDArray[np.float32]]
"""Images and a model's outputs."""


@dataclass
class _Evaluator:
    """Predicts the parts of a dataset with a trained model."""

    trained: Trained
    dataset: Dataset
    observer: Observer
    temperature: float = 1.0

    def calibrate(self) -> tuple[list[Judged], list[Judged]]:
        """Choose the temperature; return the validation part's results without and with it."""
        # Not the test part: its calibration error is honest only if it chose nothing.
        if self.dataset.folds:
            parts = list(self._measured())
        else:
            parts = list(self._outputs(self.dataset.validation[:CALIBRATION_IMAGES]))
        truths = [image.label for images, _ in parts for image in images]
        output = joined([output for _, output in parts])
        self.temperature = fit_temperature(output, truths, self.dataset.vocabulary)
        return self._judge(output, truths, 1.0), self._judge(output, truths, self.temperature)

    def predict_test_part(self) -> tuple[list[Judged], list[LabelledPrediction]]:
        """Return the test part's results without calibration, and its calibrated predictions."""
        uncalibrated: list[Judged] = []
        predictions: list[LabelledPrediction] = []
        for images, output in self._measured():
            uncalibrated += self._judge(output, [image.label for image in images], 1.0)
            predictions += self._predictions(images, output)
        return uncalibrated, predictions

    def predict(self, images: Sequence[LabelledImage]) -> list[LabelledPrediction]:
        """Return the model's calibrated predictions."""
        parts = self._outputs(images)
        return [one for images, output in parts for one in self._predictions(images, output)]

    def predict_as_published(
        self, measured: Sequence[LabelledPrediction]
    ) -> tuple[LabelledPrediction, ...]:
        """Return what the published model predicts for the measured images, in their order."""
        return tuple(self.predict(self.dataset.measured) if self.dataset.folds else measured)

    def missed(self) -> list[LabelledPrediction]:
        """Return what is answered to test images in which the detector finds nothing."""
        images = self.dataset.detector.missed if self.dataset.detector else ()
        return [LabelledPrediction(image.name, image.label, "", 0.0) for image in images]

    def measure_detector(self) -> DetectionFigures | None:
        """Tell how well lines are found, and are read where they are marked."""
        detector = self.dataset.detector
        if detector is None:
            return None
        marked = replace(self, dataset=replace(self.dataset, source=detector.lines))
        images = [*self.dataset.test, *detector.missed]
        correct = [prediction.correct for prediction in marked.predict(images)]
        lines = len(detector.overlaps)
        found = sum(overlap >= GOOD_OVERLAP for overlap in detector.overlaps)
        figures = DetectionFigures(
            images=len(images),
            lines=lines,
            found=found / lines if lines else 0.0,
            found_interval=wilson_interval(found, lines),
            overlap=float(np.mean(detector.overlaps)) if lines else 0.0,
            nothing_found=len(detector.missed),
            line_exact_match=float(np.mean(correct)),
        )
        self.observer.event(
            "detection",
            f"The detector finds {found} of {lines} lines of the test part, and nothing in "
            f"{figures.nothing_found} images. Where lines are cut as they are marked, "
            f"{figures.line_exact_match:.1%} of the texts are correct.",
            figures.model_dump(mode="json"),
        )
        return figures

    def measure_list(self, texts: tuple[str, ...]) -> AllowedFigures | None:
        """Measure a list on the validation and the test part; None if none of it can be spelled."""
        vocabulary = self.dataset.vocabulary
        limits = Limits(allowed=texts)
        try:
            allowed = spell_allowed(limits, vocabulary, self.trained.time_steps)
        except LimitsError as error:
            self.observer.event("allowed", f"{error.message} {error.hint}", {})
            return None
        readings = [
            reading
            for images, output in chain(self._outputs(self.dataset.validation), self._measured())
            for reading in read_allowed(
                at_temperature(output, self.temperature),
                [image.label for image in images],
                vocabulary,
                allowed,
            )
        ]
        figures = measure_allowed(readings, len(allowed.texts))
        self.observer.event("allowed", _told(figures), figures.model_dump())
        return figures

    def suspects(self) -> Iterator[LabelledPrediction]:
        """Yield confident predictions that contradict the label: of the other two parts, or of
        folds.

        Training stops before the model memorises wrong labels: of 35 suspects on a set with 39
        wrong labels, 31 were wrong.
        """
        learned = self.dataset.train + self.dataset.validation
        for images, output in self._measured() if self.dataset.folds else self._outputs(learned):
            for prediction in self._predictions(images, output):
                if not prediction.correct and prediction.confidence >= SUSPICIOUS:
                    yield prediction

    def _measured(self) -> Iterator[Predicted]:
        """Yield the test part with the model's outputs, or each fold with its network's."""
        if not self.dataset.folds:
            yield from self._outputs(self.dataset.test)
            return
        model = self.trained.model
        published = model.get_weights()
        for fold, weights in zip(self.dataset.folds, self.trained.committee, strict=True):
            model.set_weights(weights)
            yield from self._outputs(fold)
        model.set_weights(published)

    def _outputs(self, images: Sequence[LabelledImage]) -> Iterator[Predicted]:
        dataset = self.dataset
        return outputs(self.trained.model, dataset.source, images, dataset.image, self.observer)

    def _predictions(
        self, images: Sequence[LabelledImage], output: NDArray[np.float32]
    ) -> list[LabelledPrediction]:
        predictions = decode(output, self.dataset.vocabulary, self.temperature)
        return [
            LabelledPrediction(image.name, image.label, prediction.text, prediction.confidence)
            for image, prediction in zip(images, predictions, strict=True)
        ]

    def _judge(
        self, output: NDArray[np.float32], truths: Sequence[str], temperature: float
    ) -> list[Judged]:
        return judge(output, truths, self.dataset.vocabulary, temperature)


def _told(figures: AllowedFigures) -> str:
    return (
        f"With the list of {figures.texts:,} texts, reject below {figures.threshold}: of "
        f"{figures.listed_images} images of listed texts {figures.wrong:.1%} are then wrong and "
        f"{figures.rejected:.1%} rejected, {figures.wrong_without_list:.1%} are wrong without the "
        f"list; of images of other texts {figures.others_accepted:.1%} are accepted."
    )


def _metrics(
    trained: Trained, dataset: Dataset, predictions: Sequence[LabelledPrediction]
) -> Metrics:
    has_unreadable = "" in dataset.labels
    unreadable = [prediction.text for prediction in predictions if prediction.truth == ""]
    score = Score.of((prediction.truth, prediction.text) for prediction in predictions)
    return Metrics(
        train_images=len(dataset.train),
        validation_images=len(dataset.validation),
        test_images=len(predictions),
        folds=len(dataset.folds) or None,
        unlabelled_images=trained.unlabelled_images,
        exact_match=score.exact_match,
        exact_match_interval=wilson_interval(score.exact, score.images),
        cer=score.cer,
        mean_confidence=float(np.mean([prediction.confidence for prediction in predictions])),
        validation_exact_match=trained.validation.exact_match,
        train_seconds=round(trained.seconds, 3),
        images_per_second=round(trained.images_per_second, 3),
        epochs=trained.epochs,
        unreadable_images=len(unreadable) if has_unreadable else None,
        unreadable_empty=unreadable.count("") if has_unreadable else None,
    )
