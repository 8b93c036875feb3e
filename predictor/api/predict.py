"""POST /predict: from the images of a request to its answer."""

from collections.abc import Iterator
from typing import Any

from flask import Flask, g, request

from predictor.api.answers import describe, describe_combined, describe_input
from predictor.feedback.image_archive import ImageArchive, to_archive
from predictor.models.engine import Engine
from predictor.models.registry import ModelStatus, Registry
from predictor.requests.images import PredictRequest, parse
from predictor.requests.long_work import LongWork, expected_seconds
from predictor.requests.memory import Lease, MemoryBudget
from predictor.requests.options import PredictionOptions
from predictor.settings import PredictorSettings
from predictor.telemetry import metrics
from predictor.telemetry.request_stats import PARSE, RequestStats
from shared.api.problems import problem
from shared.errors import (
    ImageRejectedError,
    MalformedError,
    NotFoundError,
    ReadsmithError,
    UnavailableError,
)
from shared.recognition.decoding import DecodedText
from shared.recognition.preprocessing import Reserve
from shared.store.builtin import UNTRAINED


def add_predictions(
    app: Flask,
    settings: PredictorSettings,
    registry: Registry,
    archive: ImageArchive | None,
    memory: MemoryBudget,
) -> None:
    """Add POST /predict, which answers with the registry's models."""
    long_work = LongWork(settings.predictor_threads)

    @app.post("/predict")
    def predict() -> dict[str, Any]:
        with memory.lease() as lease:
            return answer(parse(request, settings, lease), lease)

    def answer(requested: PredictRequest, lease: Lease) -> dict[str, Any]:
        stats: RequestStats = g.stats
        stats.done(PARSE)
        options = requested.options
        model = registry.answering(options.model)
        engine = registry.engine(model, options.version)
        if engine is None:
            raise _no_such_model(model, registry)
        stats.model, stats.version = engine.manifest.model, engine.manifest.version
        origin = {
            "model": stats.model,
            "version": stats.version,
            "request_id": stats.request_id,
        }
        if options.model is None and registry.untrained:
            origin["note"] = UNTRAINED
        if options.crop == "off":
            engine = engine.for_lines()
        options = options.with_settings(registry.settings(model), engine.require_possible)
        combined: dict[str, Any] | None = None
        with long_work.turn(_expected_seconds(requested, options)):
            if options.combine:
                combined = _combine(engine, requested, options, stats, lease.hold_decoding)
                answers = combined["frames"]
            else:
                answers = _read(engine, requested, options, stats, lease.hold_decoding)
        _count(answers, engine, stats, settings.low_confidence)
        if archive is not None:
            archive.add(to_archive(requested, answers, stats, registry.learning(model)))
        if combined is not None:
            return {**combined, **origin}
        if requested.several:
            return {"results": answers, **origin}
        return {**answers[0], **origin}


def _expected_seconds(requested: PredictRequest, options: PredictionOptions) -> float:
    return expected_seconds(
        len(requested.uploads),
        search=options.search,
        texts=len(options.limits.allowed or ()),
        combine=bool(options.combine),
    )


def _count(
    answers: list[dict[str, Any]], engine: Engine, stats: RequestStats, chosen: float | None
) -> None:
    """Count the predictions; chosen: the confidence below which one is unsure, else the model's."""
    confidences = [answer["confidence"] for answer in answers if "confidence" in answer]
    threshold = engine.low_confidence_threshold if chosen is None else chosen
    stats.images = len(confidences)
    metrics.predictions_made(
        engine.manifest.model,
        engine.manifest.version,
        confidences,
        low_confidence=sum(confidence < threshold for confidence in confidences),
        unseen_size=stats.unseen_sizes,
    )


def _read(
    engine: Engine,
    requested: PredictRequest,
    options: PredictionOptions,
    stats: RequestStats,
    reserve: Reserve,
) -> list[dict[str, Any]]:
    """Read every image; among several, a bad one does not spoil the others' predictions."""
    images = [up.data for up in requested.uploads if not isinstance(up.data, ReadsmithError)]
    results: Iterator[DecodedText | ImageRejectedError | None] = (
        engine.search_each(
            images, options.limits, options.top_k or 1, stats, reserve, fold=options.fold_case
        )
        if options.search
        else engine.predict_each(images, stats, reserve)
    )
    answers: list[dict[str, Any]] = []
    for upload in requested.uploads:
        result = upload.data if isinstance(upload.data, ReadsmithError) else next(results)
        if not isinstance(result, ReadsmithError):
            answers.append(describe(result, options, engine.manifest.metrics))
            if options.show_input and isinstance(upload.data, bytes):
                answers[-1] |= _seen(engine, upload.data)
        elif requested.several:
            metrics.problem_answered(result.code)
            answers.append({"error": problem(result, field=upload.field)})
        else:
            result.field = upload.field
            raise result
    return answers


def _combine(
    engine: Engine,
    requested: PredictRequest,
    options: PredictionOptions,
    stats: RequestStats,
    reserve: Reserve,
) -> dict[str, Any]:
    """Read all images as shots of one thing; raises the first one's error if none can be read."""
    try:
        together, shots = engine.combine(
            [upload.data for upload in requested.uploads],
            options.limits,
            options.top_k or 1,
            stats,
            reserve,
            fold=options.fold_case,
        )
    except (ImageRejectedError, MalformedError) as error:
        error.field = error.field or requested.uploads[0].field
        raise
    answer = describe_combined(together, shots, options, engine.manifest.metrics)
    for upload, frame in zip(requested.uploads, answer["frames"], strict=True):
        if "error" in frame:
            metrics.problem_answered(frame["error"]["code"])
            frame["error"]["field"] = upload.field
        elif options.show_input and isinstance(upload.data, bytes):
            frame.update(_seen(engine, upload.data))
    return answer


def _seen(engine: Engine, data: bytes) -> dict[str, Any]:
    """Return what the model sees of an image; nothing if it is a photograph without a line."""
    seen = engine.input_of(data)
    return {} if seen is None else {"input": describe_input(seen)}


def _no_such_model(model: str, registry: Registry) -> ReadsmithError:
    states = registry.states()
    known = [name for name, state in states.items() if state.served is not None]
    named = repr(model[:64])
    if known and model not in states:
        return NotFoundError(
            "model_not_found", f"There is no model {named}.", f"Known: {', '.join(known)}.", "model"
        )
    rejection = states.get(model, ModelStatus()).rejection
    why = "is loaded" if rejection is None else "is loaded; one was refused, GET /readyz says why"
    return UnavailableError(
        "no_version_served",
        f"No version of model {named} {why}.",
        "Train one: POST /jobs to the trainer, or `readsmith train DATASET`; it is served here "
        "as soon as it is published. Or promote one that is there, or name it with version."
        + (f" Loaded: {', '.join(known)}." if known else ""),
        "model",
    )
