"""Texts that are expensive to look into, invented methods and nested groups stop nobody."""

import resource
import string
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from shared.store.store import ModelStore
from tests.support.hostile.h5 import changed, nested
from tests.support.models.bundles import png, publish
from tests.support.paths import ROOT
from tests.support.services import services
from tests.support.services.services import Service

PATIENCE = 5.0
"""Seconds within which /healthz and innocent clients are answered."""
ATTACK_SECONDS = 20.0
ATTACKERS = 4
MARKS = "a" + "\u0301" * 80_000 + "\u0316" * 80_000
"""320 kB, in JSON almost as much as the trainer takes; composing them takes more than a minute."""
METHODS = 1000
MOST_METRICS_BYTES = 200_000
MOST_GROWTH = 150_000_000
"""Bytes of a process that answers hostile texts."""
IMPORT_SECONDS = 90.0
"""Far more than the command takes to start."""

Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("services")
    publish(ModelStore(folder / "models"), folder / "build")
    return folder


@pytest.fixture(scope="module")
def trainer(folder: Path) -> Iterator[Service]:
    with services.trainer(folder) as running:
        yield running


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Iterator[Service]:
    with services.predictor(folder, READSMITH_PREDICTOR_WORKERS="2") as running:
        yield running


@contextmanager
def repeated(act: Callable[[], object], threads: int) -> Iterator[None]:
    """Repeat something in threads while the block runs."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            act()

    started = [threading.Thread(target=work) for _ in range(threads)]
    for each in started:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in started:
            each.join()


def memory(service: Service) -> int:
    """Return the resident bytes of a service's largest process."""
    family = [service.process.pid, *children(service.process.pid)]
    return max(_resident(pid) for pid in family)


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def slowest(*asks: Callable[[], requests.Response]) -> float:
    """Ask again and again during ATTACK_SECONDS; return the longest time of an answer."""
    longest, until = 0.0, time.monotonic() + ATTACK_SECONDS
    while time.monotonic() < until:
        for ask in asks:
            began = time.monotonic()
            assert ask().status_code == 200
            longest = max(longest, time.monotonic() - began)
        time.sleep(0.05)
    return longest


def test_long_patterns_do_not_stop_the_predictor(
    predictor: Service, record_property: Record
) -> None:
    told: Counter[int] = Counter()
    image = png("cab")
    url = f"{predictor.url}/predict"

    def attack() -> None:
        body = {"image": "AAAA", "pattern": MARKS, "charset": MARKS[:9000]}
        told[requests.post(url, json=body, timeout=services.TIMEOUT).status_code] += 1
        form = {"charset": MARKS[:9000], "pattern": MARKS[:499]}
        answer = requests.post(url, data=form, files={"image": image}, timeout=services.TIMEOUT)
        told[answer.status_code] += 1

    before = memory(predictor)
    with repeated(attack, ATTACKERS):
        longest = slowest(
            lambda: requests.get(f"{predictor.url}/healthz", timeout=services.TIMEOUT),
            lambda: requests.post(url, files={"image": image}, timeout=services.TIMEOUT),
        )
    record_property("slowest innocent answer", f"{longest:.2f} s")
    record_property("hostile requests, by status", str(dict(told)))
    record_property("memory grew by", f"{(memory(predictor) - before) / 1e6:.0f} MB")
    assert set(told) == {422}
    assert longest < PATIENCE
    assert memory(predictor) - before < MOST_GROWTH


HOSTILE_JOBS = (
    {"labels": {"filename": {"pattern": "(?R)?a"}}},
    {"labels": {"filename": {"pattern": "(?i)" + "[\\0-\\U0010ffff]" * 12}}, "seed": -1},
    {"relabel": {f"{number}.png": MARKS[:999] for number in range(100)}},
    {"metadata": {"note": MARKS}},
)


def test_hostile_texts_do_not_stop_the_trainer(trainer: Service, record_property: Record) -> None:
    told: Counter[int] = Counter()

    def attack() -> None:
        answers = [
            requests.post(
                f"{trainer.url}/models/default/{path}", json=body, timeout=services.TIMEOUT
            )
            for path, body in (
                ("pattern", {"pattern": MARKS}),
                ("corrections", {"text": MARKS, "image": "AAAA"}),
            )
        ]
        for body in HOSTILE_JOBS:
            url = f"{trainer.url}/jobs"
            answers.append(requests.post(url, json=body, timeout=services.TIMEOUT))
        header = {"Content-Type": 'multipart/form-data; boundary="' + ";" * 30_000}
        url = f"{trainer.url}/datasets"
        answers.append(requests.post(url, data=b"x", headers=header, timeout=services.TIMEOUT))
        told.update(answer.status_code for answer in answers)

    before = memory(trainer)
    with repeated(attack, ATTACKERS):
        longest = slowest(
            lambda: requests.get(f"{trainer.url}/healthz", timeout=services.TIMEOUT),
            lambda: requests.get(f"{trainer.url}/models/default", timeout=services.TIMEOUT),
        )
    record_property("slowest innocent answer", f"{longest:.2f} s")
    record_property("hostile requests, by status", str(dict(told)))
    record_property("memory grew by", f"{(memory(trainer) - before) / 1e6:.0f} MB")
    assert set(told) == {422}
    assert longest < PATIENCE
    assert memory(trainer) - before < MOST_GROWTH


def test_invented_methods_do_not_fill_the_metrics(
    trainer: Service, predictor: Service, record_property: Record
) -> None:
    letters = string.ascii_uppercase
    for name, service in (("trainer", trainer), ("predictor", predictor)):
        with requests.Session() as session:
            for number in range(METHODS):
                method = "X" + "".join(letters[number // 26**place % 26] for place in range(4))
                for path in ("healthz", f"nowhere/{number}"):
                    session.request(method, f"{service.url}/{path}", timeout=services.TIMEOUT)
            page = session.get(f"{service.url}/metrics", timeout=services.TIMEOUT).text
        record_property(f"/metrics of the {name}", f"{len(page):,} bytes")
        assert len(page) < MOST_METRICS_BYTES


def test_groups_in_one_another_do_not_hold_an_import(
    tmp_path: Path, record_property: Record
) -> None:
    changed(lambda weights: nested(weights, 20_000))(tmp_path / "model.h5")
    readsmith = [sys.executable, "-m", "readsmith"]
    command = [*readsmith, "models", "import", "model.h5", "--vocabulary", "abcd"]
    began = time.monotonic()
    told = subprocess.run(
        [*command, "--store", str(tmp_path / "models")],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    took = time.monotonic() - began
    record_property("20,000 groups, readsmith models import", f"{took:.1f} s")
    assert told.returncode == 1
    assert "nests groups more than 30 levels deep" in told.stderr
    assert took < IMPORT_SECONDS
