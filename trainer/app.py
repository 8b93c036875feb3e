"""The trainer's HTTP application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from trainer.body_limit import BodyLimit
from trainer.metrics import RequestMetrics
from trainer.problems import Problem, install_problem_handlers
from trainer.routes import datasets, events, health, jobs, models
from trainer.services import Services
from trainer.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Build the app; raises ReadsmithError or OSError if its stores cannot be opened."""
    services = Services(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        services.database.close()

    app = FastAPI(title="Readsmith trainer", version=_version(), lifespan=lifespan)
    app.state.services = services
    app.add_middleware(BodyLimit, upload_bytes=settings.max_upload_bytes)
    app.add_middleware(RequestMetrics, registry=services.registry)
    install_problem_handlers(app)
    for routes in (jobs, events, datasets, models, health):
        app.include_router(routes.router)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Add the schema that every route's problem answers refer to."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
            template = "#/components/schemas/{model}"
            problem = Problem.model_json_schema(ref_template=template)
            schemas = schema["components"]["schemas"]
            schemas.update(problem.pop("$defs"), Problem=problem)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _version() -> str:
    try:
        return version("readsmith")
    except PackageNotFoundError:  # run from a checkout
        return "0"
