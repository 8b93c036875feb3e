"""For the tests of downloads: a file on a good server, and the stage that fetches it."""

import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from tests.support.jobs.observer import Recorder
from tests.support.services.web_site import answer
from trainer.files.shared_files import FolderFiles
from trainer.pipeline.downloads.fetch import fetch
from trainer.schemas.addresses import ANYWHERE
from trainer.schemas.job_request import DatasetRequest
from trainer.schemas.limits import DownloadRules

CONTENT = b"zip" * 100_000


class Archive:
    """A file on a good server: it has an ETag, and knows ranges and conditions."""

    def __init__(self, content: bytes = CONTENT, etag: str | None = '"1"') -> None:
        self.content = content
        self.etag = etag
        self.cuts: list[int] = []
        """After so many bytes the next answers end."""

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        given = handler.headers
        etag = {"ETag": self.etag} if self.etag else {}
        if self.etag and given["If-None-Match"] == self.etag:
            answer(handler, status=304, headers=etag)
            return
        start = 0
        if given["Range"] and given["If-Range"] == self.etag:
            start = int(given["Range"].removeprefix("bytes=").removesuffix("-"))
        end = start + self.cuts.pop(0) if self.cuts else None
        size = len(self.content)
        span = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
        headers = etag | span | {"Content-Length": str(size - start)}
        answer(handler, self.content[start:end], 206 if start else 200, headers)


OPEN = DownloadRules(ANYWHERE)


def fetched(
    dataset: DatasetRequest,
    tmp_path: Path,
    observer: Recorder | None = None,
    rules: DownloadRules = OPEN,
) -> Path:
    """Run the stage in a folder of the test's own."""
    return fetch(dataset, tmp_path / "cache", FolderFiles(tmp_path), observer or Recorder(), rules)


def failure(dataset: DatasetRequest, tmp_path: Path, rules: DownloadRules = OPEN) -> ReadsmithError:
    """Return the error that the stage ends with."""
    with pytest.raises(ReadsmithError) as caught:
        fetched(dataset, tmp_path, rules=rules)
    return caught.value


def left_in(tmp_path: Path) -> list[str]:
    """Return the endings of the files in the cache."""
    return sorted(path.suffix for path in (tmp_path / "cache").iterdir())


def in_a_process(url: str, tmp_path: Path) -> "subprocess.Popen[bytes]":
    """Run the stage in a process of its own."""
    code = (
        "import sys; from tests.support.downloads import *;"
        "fetched(DatasetRequest(url=sys.argv[1]), Path(sys.argv[2]))"
    )
    return subprocess.Popen([sys.executable, "-c", code, url, str(tmp_path)])
