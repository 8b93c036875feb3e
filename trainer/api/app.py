"""The trainer's HTTP application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from shared import __version__
from shared.access.access import Access
from shared.api.problems import Problem
from trainer.api import pages as dashboard
from trainer.api.access import AccessControl, describe_access
from trainer.api.body_limit import BodyLimit
from trainer.api.head import HeadAsGet
from trainer.api.metrics import RequestMetrics
from trainer.api.problems import HANDLERS, problem_responses
from trainer.api.routes import (
    corrections,
    dataset_checks,
    datasets,
    events,
    health,
    jobs,
    models,
    predictor,
    versions,
)
from trainer.api.routes.labelling import datasets as living_datasets
from trainer.api.routes.labelling import images as living_images
from trainer.api.services import Services
from trainer.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Build the app; raises ReadsmithError or OSError if its stores or keys cannot be opened."""
    access = Access(settings, settings.host)
    services = Services(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watch = asyncio.create_task(services.thread_pool.run())
        yield
        watch.cancel()
        services.database.close()

    app = FastAPI(
        title="Readsmith trainer",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # a page of ours in pages.py: FastAPI's run scripts of other hosts
        redoc_url=None,
        exception_handlers=HANDLERS,
        generate_unique_id_function=lambda route: route.name,  # names of methods in clients
        responses=problem_responses(400, 413, 431, 500),
    )
    app.state.services = services
    app.add_middleware(HeadAsGet)
    app.add_middleware(BodyLimit, upload_bytes=settings.max_upload_bytes)
    app.add_middleware(AccessControl, settings=settings, access=access)
    app.add_middleware(RequestMetrics, registry=services.registry)
    app.include_router(living_datasets.exports)  # its path fits that of any dataset, too
    for routes in (
        jobs,
        events,
        datasets,
        dataset_checks,
        living_datasets,
        living_images,
        models,
        versions,
        corrections,
        predictor,
        health,
        dashboard,
    ):
        app.include_router(routes.router)
    app.mount(dashboard.PATH, dashboard.files)
    _describe_problems(app, settings.open_paths)
    return app


def _describe_problems(app: FastAPI, open_paths: frozenset[str]) -> None:
    """Add the schema that every route's problem answers refer to, and who may ask."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
            template = "#/components/schemas/{model}"
            problem = Problem.model_json_schema(ref_template=template)
            schemas = schema["components"]["schemas"]
            schemas.update(problem.pop("$defs"), Problem=problem)
            describe_access(schema, open_paths)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
