"""What holds for every test."""

import os
import tempfile
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT
from tests.support.services import object_storage
from tests.support.services.postgresql import Server, running_server

# As in the services' packages; a test may import ONNX Runtime before it imports them.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Keys that a developer has made for services of their own do not close those of the tests.
os.environ["READSMITH_KEYS"] = "no-such-folder/keys.json"

# What tests learn of versions is shared by the processes of a run, and stays out of the checkout.
if "PYTEST_XDIST_WORKER" not in os.environ:
    CACHE = tempfile.TemporaryDirectory(prefix="readsmith-tests-")
    os.environ["READSMITH_STORE_CACHE"] = CACHE.name

LONGEST = tuple(
    str(ROOT / f"tests/integration/trainer/{room}/") for room in ("workers", "pipeline")
)
"""Where the files are that take longest: started last, they would end long after the others."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first; the short ones of tests/unit come last and fill the gaps."""
    items.sort(key=lambda item: not str(item.path).startswith(LONGEST))


@pytest.fixture(scope="session")
def storage_server() -> Iterator[str]:
    """The address of an S3-compatible server."""
    with object_storage.object_storage() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL for all tests; they empty its tables."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3-compatible server that pays no regard to conditions."""
    with object_storage.storage_without_conditions(tmp_path_factory.mktemp("rclone")) as url:
        yield url


@pytest.fixture
def storage(storage_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[object_storage.Proxy]:
    """A proxy before an empty bucket, which the AWS_… variables name."""
    object_storage.empty(storage_server)
    proxy = object_storage.Proxy(storage_server)
    for name, value in object_storage.variables(proxy.url).items():
        monkeypatch.setenv(name, value)
    yield proxy
    proxy.close()
