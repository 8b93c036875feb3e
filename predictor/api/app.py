"""The predictor's HTTP interface."""

from flask import Flask

from predictor.api.access import add_access
from predictor.api.error_handlers import add_error_answers
from predictor.api.feedback import add_feedback
from predictor.api.openapi.page import add_docs
from predictor.api.predict import add_predictions
from predictor.api.request_hooks import add_request_hooks
from predictor.api.review import add_review
from predictor.api.start_page import add_start_page
from predictor.api.status import add_status
from predictor.feedback.image_archive import ImageArchive
from predictor.feedback.outbox import Outbox
from predictor.models.registry import Registry
from predictor.requests.cross_origin import add_cross_origin
from predictor.requests.memory import MemoryBudget
from predictor.settings import PredictorSettings
from predictor.telemetry.access_log import AccessLog


def create_app(
    settings: PredictorSettings,
    registry: Registry,
    access_log: AccessLog | None = None,
    archive: ImageArchive | None = None,
    outbox: Outbox | None = None,
) -> Flask:
    """Build the app that answers with the registry's models; the caller starts what it gives."""
    app = Flask("predictor", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    add_request_hooks(app, access_log)
    add_cross_origin(app, settings)
    add_access(app, settings)
    add_error_answers(app, settings)
    memory = MemoryBudget(settings)
    add_predictions(app, settings, registry, archive, memory)
    add_review(app, archive, memory)
    add_feedback(app, settings, registry, archive, outbox, memory)
    add_status(app, registry)
    add_start_page(app)
    add_docs(app)
    return app
