"""One loaded version of a model: from images to predictions, by ONNX Runtime."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from predictor.models.graphs.detector import Detector
from predictor.models.graphs.graph import BundleGraph, runnable
from predictor.models.shots import CombinedText, Shot, ShotDecoder, shots_of
from predictor.telemetry.request_stats import DECODE, MODEL, PREPARE, RequestStats
from shared.api.predictions import MOST_SHOTS
from shared.errors import (
    BundleError,
    ImageRejectedError,
    NoLineError,
    ReadsmithError,
    TooLargeError,
)
from shared.patterns.automaton import build_automaton
from shared.patterns.check_digits import CHECK_RULES
from shared.patterns.limits import Limits
from shared.recognition.decoding import (
    DecodedText,
    Place,
    decode,
    decode_allowed,
    decode_checked,
    decode_within,
    in_reading_order,
)
from shared.recognition.image_spec import ImageSpec
from shared.recognition.lines.corners import Corners, scaled
from shared.recognition.preprocessing import (
    Reserve,
    cut_line,
    fit,
    open_image,
    size_as_sent,
    to_input,
)
from shared.recognition.scripts.letter_case import Folds, find_folds, fold_case
from shared.recognition.search.allowed_texts import spell_allowed
from shared.store.builtin import STARTERS
from shared.store.manifest import DETECTOR_ONNX, ONNX_MODEL, Calibration, Manifest

BATCH = 4
"""Images per run: more do not fit in the CPU's caches, and each takes twice as long."""

MAX_SHOT_VALUES = 8_000_000
"""Outputs that several shots of one thing have together, four bytes each."""

MAX_ERROR_RATE = 0.01
"""Of the predictions at or above the low-confidence threshold, held out of training."""
MIN_THRESHOLD = 0.5
"""A model that was never wrong would have no threshold, and would show no drift."""

Answer = TypeVar("Answer", DecodedText, DecodedText | None, Shot)


@dataclass(frozen=True)
class _Input:
    """An image as the graph's input, and its place in the image."""

    values: NDArray[np.float32]
    place: Place

    @classmethod
    def of(cls, image: Image.Image, spec: ImageSpec, corners: Corners | None) -> "_Input":
        """Prepare an image; corners: of it in the one that was sent, if it was cut out of that."""
        if spec.rows == 1:
            return cls(to_input(image, spec), Place(spec.span(image.size), corners=corners))
        line, of_lines = cut_line(image, spec), spec.of_lines
        region = (spec.region.left, spec.region.right) if spec.region else (0.0, 1.0)
        span = of_lines.span(line.image.size)
        return cls(to_input(line.image, of_lines), Place(span, line.rows, region, corners))


NOTHING_FOUND = DecodedText("", 0.0, ())
"""The answer to an image in which the detector finds no line: what to read would be a guess."""


class Engine:
    """Predicts with one version; thread-safe."""

    def __init__(
        self, graph: BundleGraph, manifest: Manifest, detector: Detector | None = None
    ) -> None:
        self.manifest = manifest
        self.low_confidence_threshold = low_confidence_threshold(manifest.calibration)
        self._graph = graph
        self._detector = detector
        self._vocabulary = manifest.model_vocabulary()

    @classmethod
    def load(cls, folder: Path, manifest: Manifest, *, threads: int = 1) -> "Engine":
        """Load the bundle's ONNX graphs and run them on black images.

        threads: ONNX Runtime's threads for one run. Raises BundleError if a file is not what the
        manifest says.
        """
        engine = cls(BundleGraph.load(folder, manifest, ONNX_MODEL, threads=threads), manifest)
        with runnable(ONNX_MODEL):
            engine._check_signature()
        if manifest.detector is None:
            return engine
        graph = BundleGraph.load(folder, manifest, DETECTOR_ONNX, threads=threads)
        detector = Detector(graph, manifest.detector)
        detector.check()
        return cls(engine._graph, manifest, detector)

    @property
    def detects(self) -> bool:
        """Whether it looks for the line in an image, and does not take the image for the line."""
        return self._detector is not None

    def for_lines(self) -> "Engine":
        """Return the engine for images that are cut to the line already."""
        return Engine(self._graph, self.manifest)

    def predict(self, images: Sequence[bytes]) -> list[DecodedText]:
        """Predict encoded images; raises ImageRejectedError for the first invalid one."""
        predictions = []
        for result in self.predict_each(images):
            if isinstance(result, ImageRejectedError):
                raise result
            predictions.append(result)
        return predictions

    def predict_each(
        self,
        images: Sequence[bytes],
        stats: RequestStats | None = None,
        reserve: Reserve | None = None,
    ) -> Iterator[DecodedText | ImageRejectedError]:
        """Yield for each encoded image its prediction, or the error if it is invalid, in order.

        reserve: called before an image is decoded, as by open_image.
        """
        return self._decode_each(images, decode, stats or RequestStats(), reserve)

    def search_each(
        self,
        images: Sequence[bytes],
        limits: Limits,
        top_k: int,
        stats: RequestStats | None = None,
        reserve: Reserve | None = None,
        *,
        fold: bool | None = None,
    ) -> Iterator[DecodedText | ImageRejectedError | None]:
        """Predict as predict_each does, but within limits, with the top_k most likely texts.

        fold: whether a letter that the limits allow in one case alone is read in either; None:
        where the model is a starter, which nobody has told the case of the texts.

        Yields None for an image in which no text within the limits has any probability. Raises
        UnusableError before an image is opened.
        """
        decoding = self._decoding(limits, top_k, fold=self._folds_case(fold))
        stats = stats or RequestStats()
        stats.done(DECODE)
        return self._decode_each(images, decoding, stats, reserve)

    def combine(
        self,
        images: Sequence[bytes | ReadsmithError],
        limits: Limits,
        top_k: int,
        stats: RequestStats | None = None,
        reserve: Reserve | None = None,
        *,
        fold: bool | None = None,
    ) -> tuple[CombinedText, list[int | ReadsmithError]]:
        """Predict the one text that several shots show, as search_each does that of each.

        images: encoded, or why there is none; two that are the same file are one shot. Returns
        with the text each image's shot, as an index of CombinedText.alone, or the error if it is
        invalid or shows no line. Raises the first error if all are, and what search_each raises.
        """
        decoder = ShotDecoder(limits, self._vocabulary, self.manifest.time_steps, top_k)
        self._require_few(images)
        folds: Folds = ()
        if self._folds_case(fold):
            folds = find_folds(self.manifest.vocabulary, decoder.classes)
        stats = stats or RequestStats()
        distinct = list(dict.fromkeys(each for each in images if isinstance(each, bytes)))
        read = self._decode_each(distinct, partial(shots_of, folds=folds), stats, reserve)
        shots: list[Shot] = []
        places: dict[bytes, int | ReadsmithError] = {}
        for image, shot in zip(distinct, read, strict=True):
            if isinstance(shot, Shot):
                shots.append(shot)
                places[image] = len(shots) - 1
            else:
                places[image] = shot if isinstance(shot, ReadsmithError) else _no_line()
        placed = [places[each] if isinstance(each, bytes) else each for each in images]
        if not shots:
            raise next(each for each in placed if isinstance(each, ReadsmithError))
        combined = decoder.decode(shots)
        stats.done(DECODE)
        return combined, placed

    def input_of(self, data: bytes) -> NDArray[np.uint8] | None:
        """Return an image as the model sees it, before scaling: uint8 (H, W, C).

        None if it is a photograph without a line. Raises ImageRejectedError.
        """
        line, _ = self._line(open_image(data), data)
        return None if line is None else fit(line, self.manifest.image)

    def require_possible(self, limits: Limits) -> None:
        """Raise UnusableError if this model can predict no text within the limits."""
        self._decoding(limits, 1, fold=False)

    def _require_few(self, shots: Sequence[object]) -> None:
        """Raise TooLargeError for more shots than there is memory for: outputs of all are held."""
        fitting = MAX_SHOT_VALUES // (self.manifest.time_steps * self._vocabulary.classes)
        if len(shots) > min(MOST_SHOTS, fitting):
            hint = f"Send at most {MOST_SHOTS}."
            if fitting < MOST_SHOTS:
                hint = f"For this model, whose outputs are large, send at most {fitting}."
            message = f"There are {len(shots)} shots of one thing."
            raise TooLargeError("too_many_images", message, hint, "image")

    def give_back(self) -> None:
        """Release the memory that the runs so far have taken.

        Few images are as wide as those that a version is checked with: for none, 4 to 9 MB would
        be kept.
        """
        narrow = self.manifest.image.input_width((1, 10_000))
        shape = (narrow if side is None else side for side in self.manifest.image.shape)
        self._graph.run(np.zeros((1, *shape), dtype=np.float32), give_back=True)
        if self._detector is not None:
            self._detector.give_back()

    def _folds_case(self, fold: bool | None) -> bool:
        return self.manifest.model in STARTERS.values() if fold is None else fold

    def _decoding(
        self, limits: Limits, top_k: int, *, fold: bool
    ) -> Callable[..., list[DecodedText | None]]:
        model = self.manifest.vocabulary, self.manifest.time_steps
        decoding: Callable[..., list[DecodedText | None]]
        if limits.allowed is not None:
            allowed = spell_allowed(limits, self._vocabulary, self.manifest.time_steps)
            used = set(allowed.classes.tolist())
            decoding = partial(decode_allowed, allowed=allowed, top_k=top_k)
        else:
            automaton = build_automaton(limits, *model)
            used = automaton.classes
            decoding = partial(decode_within, automaton=automaton, top_k=top_k)
            if limits.check_digit is not None:
                rule = CHECK_RULES[limits.check_digit]
                decoding = partial(decode_checked, automaton=automaton, rule=rule, top_k=top_k)
        if not fold:
            return decoding
        folds = find_folds(self.manifest.vocabulary, used)
        return lambda output, *args, **options: decoding(fold_case(output, folds), *args, **options)

    def _decode_each(
        self,
        images: Sequence[bytes],
        decoding: Callable[..., list[Answer]],
        stats: RequestStats,
        reserve: Reserve | None,
    ) -> Iterator[Answer | DecodedText | ImageRejectedError]:
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            inputs = [self._prepare(image, stats, reserve) for image in batch]
            stats.done(PREPARE)
            # By width: an input gets the same answer whatever it shares a batch with.
            batches: dict[tuple[int, ...], list[NDArray[np.float32]]] = {}
            for one in inputs:
                if isinstance(one, _Input):
                    batches.setdefault(one.values.shape, []).append(one.values)
            answers = {
                shape: iter(self._run(np.stack(values), decoding, stats))
                for shape, values in batches.items()
            }
            for one in inputs:
                if isinstance(one, _Input):
                    answer = next(answers[one.values.shape])
                    yield answer and answer.placed(one.place)
                else:
                    yield one or NOTHING_FOUND

    def _prepare(
        self, data: bytes, stats: RequestStats, reserve: Reserve | None
    ) -> "_Input | ImageRejectedError | None":
        """Return an image's input, None if it is a photograph without a line."""
        try:
            image = open_image(data, reserve)
        except ImageRejectedError as error:
            return error.without_trace()
        whole = self.detects or self.manifest.detector is None
        sizes = self.manifest.image_sizes if whole else None  # of the line alone, nobody took note
        stats.unseen_sizes += sizes is not None and not sizes.hold(image.size)
        line, corners = self._line(image, data)
        if line is None:
            return None
        return _Input.of(line, self.manifest.image, corners)

    def _line(self, image: Image.Image, data: bytes) -> tuple[Image.Image | None, Corners | None]:
        """Return the line in an opened image, and its corners in the one that was sent.

        They are None where nobody looks for them: the image is the line.
        """
        if self._detector is None:
            return image, None
        cut = self._detector.cut(image)
        if cut is None:
            return None, None
        return cut[0], scaled(cut[1].corners, size_as_sent(data, image)[0] / image.width)

    def _run(
        self,
        inputs: NDArray[np.float32],
        decoding: Callable[..., list[Answer]],
        stats: RequestStats,
    ) -> list[Answer]:
        probabilities = self._probabilities(inputs)
        stats.done(MODEL)
        answers = decoding(probabilities, self._vocabulary, temperature=self.manifest.temperature)
        stats.done(DECODE)
        return answers

    def _probabilities(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the graph: (N, *image.shape) → (N, T, classes); raises BundleError."""
        return in_reading_order(self._graph.run(inputs), self.manifest.image)

    def _check_signature(self) -> None:
        image = self.manifest.image
        self._graph.require_signature(image.shape)
        widths = {image.input_width((1, 10_000)), image.width}
        for width in widths:
            self._check_output(width)

    def _check_output(self, width: int) -> None:
        """Run the graph on black images of this width; raises BundleError."""
        image = self.manifest.image
        batch = 2  # a graph with a fixed batch of one would pass with one
        shape = tuple(width if side is None else side for side in image.shape)
        found = self._probabilities(np.zeros((batch, *shape), dtype=np.float32))
        steps = self.manifest.time_steps * width // image.width
        expected = (batch, steps, self._vocabulary.classes)
        if found.dtype != np.float32 or found.shape != expected:
            raise BundleError(
                f"{ONNX_MODEL} returns {found.dtype} {found.shape}, "
                f"the manifest says float32 {expected} (images, time steps, classes).",
                "graph",
            )
        if not np.allclose(found.sum(axis=2), 1.0, atol=1e-3) or found.min() < 0:
            raise BundleError(f"{ONNX_MODEL} does not return probabilities.", "graph")


def _no_line() -> NoLineError:
    return NoLineError(
        "no_line",
        "No line of text was found in this image.",
        "If it is cut to the line already, send crop=off.",
    )


def low_confidence_threshold(calibration: Calibration | None) -> float:
    """Return the lowest confidence from which at most MAX_ERROR_RATE of predictions were wrong.

    calibration: measured on images held out of training. At least MIN_THRESHOLD, also without a
    calibration and if no threshold is that good.
    """
    rows = calibration.thresholds if calibration else ()
    rarely_wrong = [row.threshold for row in rows if row.wrong <= MAX_ERROR_RATE]
    return max(MIN_THRESHOLD, min(rarely_wrong, default=MIN_THRESHOLD))
