import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from shared.errors import ReadsmithError
from tests.observing import Recorder
from trainer.progress import CancelledRunError
from trainer.requests import Dataset, Synthetic
from trainer.stages import download
from trainer.stages.download import fetch

CONTENT = b"zip" * 1000


class Site(BaseHTTPRequestHandler):
    """Answers /good, /cut (the connection ends early) and 404 for the rest."""

    hits: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.hits.append(self.path)
        if self.path not in ("/good", "/cut"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/good" else CONTENT[:100])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Site.hits.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetched(dataset: Dataset, tmp_path: Path) -> Path:
    return fetch(dataset, tmp_path / "cache", tmp_path / "uploads", Recorder())


def test_a_zip_is_downloaded_once_and_cached(site: str, tmp_path: Path) -> None:
    for _ in range(2):
        assert fetched(Dataset(url=f"{site}/good"), tmp_path).read_bytes() == CONTENT
    assert Site.hits == ["/good"]


def test_the_hash_of_the_download_is_checked(site: str, tmp_path: Path) -> None:
    right = hashlib.sha256(CONTENT).hexdigest()
    assert fetched(Dataset(url=f"{site}/good", sha256=right), tmp_path).is_file()
    with pytest.raises(ReadsmithError) as caught:
        fetched(Dataset(url=f"{site}/good", sha256="0" * 64), tmp_path)
    assert caught.value.code == "sha256_differs"
    assert right in caught.value.message


def test_a_failed_download_says_why_and_leaves_nothing_to_use(site: str, tmp_path: Path) -> None:
    for path, reason in (("/gone", "404"), ("/cut", "100 of 3,000 bytes|IncompleteRead")):
        with pytest.raises(ReadsmithError, match=reason) as caught:
            fetched(Dataset(url=f"{site}{path}"), tmp_path)
        assert caught.value.code == "download_failed"
    assert not list((tmp_path / "cache").glob("*.zip"))


def test_an_unreachable_host_is_named_without_the_libraries_wrapping(tmp_path: Path) -> None:
    with pytest.raises(ReadsmithError) as caught:
        fetched(Dataset(url="http://127.0.0.1:1/set.zip"), tmp_path)
    assert caught.value.code == "download_failed"
    assert "127.0.0.1" in caught.value.message
    assert "HTTPConnection" not in caught.value.message


def test_a_download_over_the_limit_is_stopped(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    with pytest.raises(ReadsmithError) as caught:
        fetched(Dataset(url=f"{site}/good"), tmp_path)
    assert caught.value.code == "download_too_large"


def test_a_cancelled_download_stops(site: str, tmp_path: Path) -> None:
    with pytest.raises(CancelledRunError):
        fetch(Dataset(url=f"{site}/good"), tmp_path / "cache", tmp_path, Recorder(cancel_after=0))


def test_an_unknown_upload_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadsmithError, match="no upload"):
        fetched(Dataset(id=f"dataset-{'0' * 32}"), tmp_path)


def test_a_synthetic_set_is_the_same_for_the_same_parameters(tmp_path: Path) -> None:
    drawn = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        dataset = Dataset(synthetic=Synthetic(images=12, seed=seed))
        drawn[name] = fetched(dataset, tmp_path / name).read_bytes()
        with zipfile.ZipFile(io.BytesIO(drawn[name])) as archive:
            assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
    assert drawn["a"] == drawn["b"] != drawn["c"]
