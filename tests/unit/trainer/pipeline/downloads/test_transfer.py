"""Broken, slow, too large and hostile downloads, from a real server."""

import re
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.support.downloads import CONTENT, Archive, failure, fetched, in_a_process, left_in
from tests.support.jobs.observer import Recorder
from tests.support.services.web_site import HEAD, Page, Site, answer, drip, drip_headers, serve
from trainer.pipeline.downloads import transfer as downloading
from trainer.schemas.addresses import ANYWHERE
from trainer.schemas.job_request import DatasetRequest
from trainer.schemas.limits import DownloadRules
from trainer.schemas.progress import CancelledRunError


@pytest.fixture
def archive() -> Archive:
    return Archive()


@pytest.fixture
def site(archive: Archive) -> Iterator[Site]:
    with serve({"/good": archive}) as site:
        yield site


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "PAUSE_SECONDS", 0.01)


def test_a_broken_download_goes_on_where_it_broke_off(
    site: Site, archive: Archive, tmp_path: Path
) -> None:
    archive.cuts = [100_000, 100_000]
    observer = Recorder()
    assert (
        fetched(DatasetRequest(url=f"{site.url}/good"), tmp_path, observer).read_bytes() == CONTENT
    )
    ranges = [headers["Range"] for headers in site.headers]
    assert ranges == [None, "bytes=100000-", "bytes=200000-"]
    assert [kind for kind, _ in observer.events] == ["retry", "retry"]
    assert "after 100,000 bytes: the connection ended too early" in observer.events[0][1]


def test_a_broken_download_begins_anew_if_the_file_has_changed(
    site: Site, archive: Archive, tmp_path: Path
) -> None:
    def changing(handler: BaseHTTPRequestHandler) -> None:
        archive(handler)
        archive.content, archive.etag = b"new" * 100_000, '"2"'

    archive.cuts, site.pages["/good"] = [1000], changing
    assert fetched(DatasetRequest(url=f"{site.url}/good"), tmp_path).read_bytes() == archive.content


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_a_broken_download_begins_anew_if_nothing_tells_whether_the_file_has_changed(
    etag: str | None, site: Site, archive: Archive, tmp_path: Path
) -> None:
    archive.etag, archive.cuts = etag, [1000]
    assert fetched(DatasetRequest(url=f"{site.url}/good"), tmp_path).read_bytes() == CONTENT
    assert [headers["Range"] for headers in site.headers] == [None, None]


@pytest.mark.parametrize("span", ["bytes 5-9/300000", "bytes x", ""])
def test_a_range_that_was_not_asked_for_is_thrown_away(
    span: str, site: Site, archive: Archive, tmp_path: Path
) -> None:
    def wrong(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers["Range"]:
            answer(handler, b"wrong", 206, {"Content-Range": span})
        else:
            archive(handler)

    archive.cuts, site.pages["/good"] = [1000], wrong
    assert fetched(DatasetRequest(url=f"{site.url}/good"), tmp_path).read_bytes() == CONTENT


def test_a_part_that_a_killed_process_left_is_gone_on_with(
    site: Site, archive: Archive, tmp_path: Path
) -> None:
    begun = threading.Event()

    def stuck(handler: BaseHTTPRequestHandler) -> None:
        archive.cuts = [200_000]
        archive(handler)
        handler.wfile.flush()
        begun.set()
        time.sleep(60)

    site.pages["/good"] = stuck
    url = f"{site.url}/good"
    with in_a_process(url, tmp_path) as process:
        assert begun.wait(60)
        (part,) = wait_for_part(tmp_path, 190_000)
        process.send_signal(signal.SIGKILL)
    begun_size = part.stat().st_size
    site.pages["/good"] = archive
    assert fetched(DatasetRequest(url=url), tmp_path).read_bytes() == CONTENT
    assert site.headers[-1]["Range"] == f"bytes={begun_size}-"
    assert left_in(tmp_path) == [".json", ".zip"]


def wait_for_part(tmp_path: Path, size: int) -> list[Path]:
    """Wait until a part of this size or more is on the disk."""
    for _ in range(600):
        parts = [p for p in (tmp_path / "cache").glob("*.part") if p.stat().st_size >= size]
        if parts:
            return parts
        time.sleep(0.05)
    raise AssertionError("no part")


def test_two_that_download_the_same_file_at_once_write_different_parts(
    site: Site, archive: Archive, tmp_path: Path
) -> None:
    both = threading.Barrier(2, timeout=60)

    def together(handler: BaseHTTPRequestHandler) -> None:
        both.wait()
        archive(handler)

    site.pages["/good"] = together
    url = f"{site.url}/good"
    with in_a_process(url, tmp_path) as process:
        assert fetched(DatasetRequest(url=url), tmp_path).read_bytes() == CONTENT
    assert process.returncode == 0
    assert left_in(tmp_path) == [".json", ".zip"]


def test_a_server_that_is_busy_is_asked_again(site: Site, archive: Archive, tmp_path: Path) -> None:
    def busy(handler: BaseHTTPRequestHandler) -> None:
        if len(site.hits) < 3:
            answer(handler, status=503)
        else:
            archive(handler)

    site.pages["/good"] = busy
    assert fetched(DatasetRequest(url=f"{site.url}/good"), tmp_path).read_bytes() == CONTENT
    assert len(site.hits) == 3


def broken(head: bytes) -> Page:
    """Make a page that sends bytes of its own and hangs up."""

    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)

    return page


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (lambda handler: answer(handler, status=404), "404"),
        (lambda handler: answer(handler, status=401), "401"),
        (lambda handler: answer(handler, status=304), "304"),
        (lambda handler: answer(handler, status=503), "503"),
        (lambda handler: answer(handler, headers={"Content-Encoding": "gzip"}), "encoded .gzip."),
        (
            lambda handler: answer(handler, b"x", headers={"Content-Length": "3000"}),
            "too early, after 1 bytes",
        ),
        (broken(b""), "without response|closed|reset"),
        (broken(b"HTTP/1.1 404 \x1b[2J\x9b31mNo\r\n\r\n"), r"404 \\u001b\[2J\\u009b31mNo"),
        (broken(b"SSH-2.0-OpenSSH\r\n"), "SSH"),
        (broken(HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n"), "(?i)header line"),
        (broken(HEAD + b"X: x\r\n" * 200 + b"\r\n"), "more than 100 headers"),
        (broken(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), "Content-Length"),
        (broken(HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n"), "ended too early|invalid"),
        (broken(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"), "ended too early"),
    ],
)
def test_a_failed_download_says_why_in_one_sentence_and_leaves_nothing(
    page: Page, reason: str, site: Site, tmp_path: Path
) -> None:
    site.pages["/bad"] = page
    error = failure(DatasetRequest(url=f"{site.url}/bad"), tmp_path)
    assert error.code == "download_failed"
    assert re.search(reason, error.message)
    assert error.message.isprintable()
    assert left_in(tmp_path) == []


def test_an_unreachable_host_is_named_without_the_libraries_wrapping(tmp_path: Path) -> None:
    error = failure(DatasetRequest(url="http://127.0.0.1:1/set.zip"), tmp_path)
    assert error.code == "download_failed"
    assert error.message == (
        "http://127.0.0.1:1/set.zip could not be downloaded: Connection refused."
    )


@pytest.mark.parametrize("told", [True, False])
def test_a_download_over_the_limit_is_stopped(told: bool, site: Site, tmp_path: Path) -> None:
    def large(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(HEAD + (b"Content-Length: 3000\r\n" if told else b"") + b"\r\n")
        handler.wfile.write(b"x" * 3000)

    site.pages["/large"] = large
    limit = DownloadRules(ANYWHERE, max_bytes=1000)
    error = failure(DatasetRequest(url=f"{site.url}/large"), tmp_path, limit)
    assert error.code == "download_too_large"
    assert "READSMITH_MAX_DOWNLOAD_BYTES" in error.hint
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("page", [drip, drip_headers])
def test_a_server_that_drips_is_given_up(
    page: Page, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "STALL_SECONDS", 0.6)
    monkeypatch.setattr(downloading, "RETRIES", 1)
    site.pages["/slow"] = page
    error = failure(DatasetRequest(url=f"{site.url}/slow"), tmp_path)
    assert error.code == "download_failed"
    assert "bytes in" in error.message


@pytest.mark.parametrize("page", [drip, drip_headers])
def test_a_download_has_an_end_in_time(page: Page, site: Site, tmp_path: Path) -> None:
    site.pages["/slow"] = page
    limit = DownloadRules(ANYWHERE, max_seconds=0.7)
    error = failure(DatasetRequest(url=f"{site.url}/slow"), tmp_path, limit)
    assert error.code == "download_failed"
    assert "more than 0.7 seconds" in error.message


@pytest.mark.parametrize("page", [drip, drip_headers, lambda handler: time.sleep(5)])
def test_a_cancelled_download_stops_within_a_second_and_leaves_nothing(
    page: Page, site: Site, tmp_path: Path
) -> None:
    site.pages["/slow"] = page
    with pytest.raises(CancelledRunError):
        fetched(DatasetRequest(url=f"{site.url}/slow"), tmp_path, Recorder(cancel_after=2))
    assert left_in(tmp_path) == []


def test_a_download_is_cancelled_also_while_it_waits_to_try_again(
    site: Site, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Impatient(Recorder):
        def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
            self.cancel_after = 0

    monkeypatch.setattr(downloading, "PAUSE_SECONDS", 60)
    archive.cuts = [1000]
    with pytest.raises(CancelledRunError):
        fetched(DatasetRequest(url=f"{site.url}/good"), tmp_path, Impatient())
    assert left_in(tmp_path) == []
