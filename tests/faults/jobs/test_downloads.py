"""Downloads that are killed and cut again and again."""

import random
import signal
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.support.downloads import Archive, fetched, in_a_process
from tests.support.jobs.observer import Recorder
from tests.support.services.web_site import serve
from trainer.pipeline.downloads import transfer as downloading
from trainer.schemas.job_request import DatasetRequest

KILLS = 50
CUTS = 200


class SlowArchive(Archive):
    """Sends about 1 MB a second, and counts what it sent."""

    sent = 0

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        start = int((handler.headers["Range"] or "bytes=0-")[6:-1])
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(self.content) - start))
        handler.send_header("ETag", str(self.etag))
        if start:
            size = len(self.content)
            handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        handler.end_headers()
        for at in range(start, len(self.content), 10_000):
            handler.wfile.write(self.content[at : at + 10_000])
            self.sent += len(self.content[at : at + 10_000])
            time.sleep(0.01)


def test_a_download_that_is_killed_again_and_again_arrives_whole(tmp_path: Path) -> None:
    chance = random.Random(1)
    archive = SlowArchive(chance.randbytes(KILLS * 200_000))
    kills = 0
    with serve({"/set.zip": archive}) as site:
        url = f"{site.url}/set.zip"
        while kills < KILLS:
            before = archive.sent
            with in_a_process(url, tmp_path) as process:
                while archive.sent == before and process.poll() is None:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.2))
                process.send_signal(signal.SIGKILL)
            assert process.returncode == -signal.SIGKILL, "it arrived before it was killed"
            kills += 1
        assert fetched(DatasetRequest(url=url), tmp_path).read_bytes() == archive.content
    again = archive.sent / len(archive.content) - 1
    print(f"{kills} of {kills} kills of a download ended right, {again:.0%} was sent twice")
    assert again < 1


def test_a_download_that_is_cut_again_and_again_arrives_whole_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "PAUSE_SECONDS", 0.001)
    chance = random.Random(2)
    archive = Archive(chance.randbytes(5_000_000))
    archive.cuts = [chance.randint(1, 20_000) for _ in range(CUTS)]
    with serve({"/set.zip": archive}) as site:
        observer = Recorder()
        path = fetched(DatasetRequest(url=f"{site.url}/set.zip"), tmp_path, observer)
    assert path.read_bytes() == archive.content
    assert len(site.hits) == CUTS + 1
    print(f"{CUTS} cuts, {len(observer.events)} further tries, nothing sent twice")


def test_many_that_download_the_same_file_at_once_all_get_it_whole(tmp_path: Path) -> None:
    archive = SlowArchive(random.Random(3).randbytes(1_000_000))
    with serve({"/set.zip": archive}) as site:
        processes = [in_a_process(f"{site.url}/set.zip", tmp_path) for _ in range(8)]
        assert [process.wait(300) for process in processes] == [0] * 8
    (path,) = (tmp_path / "cache").glob("*.zip")
    assert path.read_bytes() == archive.content
    assert not list((tmp_path / "cache").glob("*.part"))
    print("8 of 8 that downloaded the same file at once got it whole")
