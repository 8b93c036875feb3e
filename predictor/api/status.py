"""The routes that tell how the predictor is and what it serves."""

import os
from typing import Any

from flask import Flask, Response

from predictor.models.registry import ModelStatus, Registry, Served
from predictor.telemetry import metrics

SERVICE = "Readsmith predictor: reads short text lines in images"
ROUTES = {
    "POST /predict": 'read images, e.g. curl -F "image=@captcha.png" …/predict',
    "POST /feedback": "what an image really says, handed over to the trainer",
    "GET /review": "archived images that wait for review, the least confident predictions first",
    "GET /review/{image_id}": "an archived image",
    "DELETE /review/{image_id}": "delete an archived image: it has been reviewed",
    "GET /models": "the models that answer now",
    "GET /healthz": "is this process alive",
    "GET /readyz": "can it read, and which versions",
    "GET /metrics": "counts for Prometheus",
    "GET /docs": "this interface, described for people",
    "GET /openapi.json": "this interface, described for programs",
}
"""Every route but the start page, and what it is for."""


def add_status(app: Flask, registry: Registry) -> None:
    """Add the models, health, readiness and metrics."""

    @app.get("/models")
    def models() -> dict[str, Any]:
        served = [state.served for state in registry.states().values()]
        models = [_model(each) for each in served if each is not None]
        return {"default": registry.default, "data": models}

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> tuple[dict[str, Any], int]:
        states = registry.states()
        ready = registry.ready
        models = {name: _state(state) for name, state in states.items()}
        away = registry.away
        storage = away and {"since": away.since.isoformat(), "reason": away.reason}
        state = {
            "ready": ready,
            # Not a reason to be taken out of rotation: it predicts as well as before.
            "degraded": ready and away is not None,
            "pid": os.getpid(),
            "models": models,
            "storage_unreachable": storage,
        }
        return state, 200 if ready else 503

    @app.get("/metrics")
    def counts() -> Response:
        body, content_type = metrics.exposition()
        return Response(body, content_type=content_type)


def _model(served: Served) -> dict[str, Any]:
    manifest = served.engine.manifest
    measured = manifest.metrics
    return {
        "model": manifest.model,
        "version": manifest.version,
        "vocabulary": "".join(manifest.vocabulary),
        "image": manifest.image.model_dump(),
        "origin": manifest.origin,
        "preset": manifest.preset,
        "dataset": manifest.dataset,
        "exact_match": measured and measured.exact_match,
        "exact_match_interval": measured and measured.exact_match_interval,
        "cer": measured and measured.cer,
        "test_images": measured and measured.test_images,
        "created_at": manifest.created_at.isoformat(),
        "loaded_at": served.loaded_at.isoformat(),
    }


def _state(state: ModelStatus) -> dict[str, Any]:
    served, rejection = state.served, state.rejection
    return {
        "version": served and served.engine.manifest.version,
        "loaded_at": served and served.loaded_at.isoformat(),
        "wanted": state.wanted,
        "rejection": rejection and {"version": rejection.version, "reason": rejection.reason},
        "rejections": state.rejections,
    }
