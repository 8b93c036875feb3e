"""The dashboard: static files, the same for everybody; what they show comes from the API."""

import mimetypes
import os
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).with_name("dashboard")
PATH = "/dashboard"

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",  # asked for again after an update; mostly answered with 304
}

# Some systems' registers say otherwise, and browsers run no module of another type.
mimetypes.add_type("text/javascript", ".js")


class _Files(StaticFiles):
    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(HEADERS)
        return response


files = _Files(directory=FOLDER)
"""To be mounted at PATH."""

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def show_dashboard(request: Request) -> Response:
    """Answer with the dashboard's page."""
    path, stat = await run_in_threadpool(files.lookup_path, "index.html")
    assert stat is not None, "the package lacks its dashboard"  # noqa: S101
    return files.file_response(path, stat, request.scope)


def is_dashboard(path: str) -> bool:
    """Say whether this path is the dashboard's, which needs no key."""
    return path == "/" or path.startswith(f"{PATH}/")
