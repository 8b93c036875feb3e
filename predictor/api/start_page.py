"""The start page: for browsers a page that tries images, for programs a list of the routes."""

import mimetypes
from pathlib import Path
from typing import Any

from flask import Flask, Request, Response, jsonify, request, send_from_directory

from predictor.api.status import ROUTES, SERVICE
from shared.api.headers import PAGE_HEADERS

FOLDER = Path(__file__).with_name("page")
PATH = "/page/"

HEADERS = {**PAGE_HEADERS, "Vary": "Accept"}

# Some systems' registers say otherwise, and browsers run no module of another type.
mimetypes.add_type("text/javascript", ".js")


def add_start_page(app: Flask) -> None:
    """Add the start page and the files that it loads."""

    @app.get("/")
    def about() -> Response:
        if _is_browser(request):
            return _file("index.html")
        return jsonify({"service": SERVICE, "routes": ROUTES})

    @app.get(f"{PATH}<name>")
    def page_file(name: str) -> Response:
        return _file(name)


def is_page(request: Request) -> bool:
    """Say whether this is for the page, which is the same for everybody and needs no key."""
    path = request.path
    return path.startswith(PATH) or (path == "/" and _is_browser(request))


def _is_browser(request: Request) -> bool:
    known: Any = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return bool(known == "text/html")


def _file(name: str) -> Response:
    response = send_from_directory(FOLDER, name)
    response.headers.update(HEADERS)
    return response
