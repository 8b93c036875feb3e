"""Jobs whose requests are as large as a request may be: what lists of them cost."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.support.hostile.bystander import bystander, resident_bytes
from tests.support.services import services

JOBS = 110
LISTS = 8
MEMORY = 512 << 20
"""What docker-compose.yml gives the trainer."""
TIMEOUT = 120.0


def test_lists_of_jobs_with_large_requests(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    relabel = {f"{number:05}{'x' * 55}.png": "2b827" for number in range(10_000)}
    with services.trainer(tmp_path) as trainer:
        with bystander(trainer.url, "/healthz", "/readyz") as seen:
            for _ in range(JOBS):
                body = {"relabel": relabel}
                sent = requests.post(f"{trainer.url}/jobs", json=body, timeout=TIMEOUT)
                assert sent.status_code == 202, sent.text
        record_property("others while the jobs are posted", str(seen))
        seen.require_patience()
        one = requests.get(f"{trainer.url}/jobs/{sent.json()['id']}", timeout=TIMEOUT)
        record_property("bytes of a job", len(one.content))
        assert one.json()["request"]["relabel"] == relabel

        def ask(path: str) -> tuple[float, int]:
            began = time.monotonic()
            size = len(requests.get(trainer.url + path, timeout=TIMEOUT).content)
            return time.monotonic() - began, size

        for what in ("/jobs?limit=100", f"/jobs/{sent.json()['id']}"):
            with (
                bystander(trainer.url, "/healthz", "/readyz") as seen,
                ThreadPoolExecutor(LISTS) as clients,
            ):
                seconds, sizes = zip(*clients.map(ask, [what] * LISTS * 4), strict=True)
            memory = resident_bytes(trainer.process.pid)
            figures = f"{LISTS} at once: longest {max(seconds):.2f} s, {max(sizes):,} bytes each"
            record_property(f"GET {what[:12]}…", f"{figures}; memory {memory >> 20} MiB")
            record_property("others meanwhile", str(seen))
            assert memory < MEMORY
            seen.require_patience()
