"""The dashboard: static files, the same for everybody; what they show comes from the API."""

import mimetypes
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from shared.api.headers import PAGE_HEADERS

FOLDER = Path(__file__).with_name("dashboard")
PATH = "/dashboard"

HEADERS = {
    **PAGE_HEADERS,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}

# Some systems' registers say otherwise, and browsers run no module of another type.
mimetypes.add_type("text/javascript", ".js")


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


files = _Files(directory=FOLDER)
"""To be mounted at PATH."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show_dashboard(request: Request) -> Response:
    """Answer with the dashboard's page."""
    return await files.get_response("index.html", request.scope)


@router.get("/docs")
async def show_docs(request: Request) -> Response:
    """Answer with the page that describes the API; unlike FastAPI's, it loads nothing from afar."""
    return await files.get_response("docs.html", request.scope)


def is_dashboard(path: str) -> bool:
    """Say whether this path is the dashboard's, which needs no key."""
    return path == "/" or path.startswith(f"{PATH}/")
