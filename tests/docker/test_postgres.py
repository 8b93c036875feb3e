"""deploy/compose.postgres.yml: several trainers and workers on one queue."""

import os
from collections.abc import Iterator

import pytest
import requests

from tests.docker.conftest import TIMEOUT, Stack, eventually, needs_docker, run, running
from tests.docker.test_compose import SMALL_JOB
from tests.support.paths import ROOT

pytestmark = [
    *needs_docker,
    pytest.mark.skipif(
        "READSMITH_TEST_FAULTS" not in os.environ, reason="takes minutes: READSMITH_TEST_FAULTS"
    ),
]

FILES = ["-f", "deploy/compose.postgres.yml"]
SCALED = ["--scale", "trainer=2", "--scale", "worker=2", "--scale", "predictor=2"]


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Two of each service, and PostgreSQL."""
    if not run("docker", "images", "-q", "postgres:17").strip():
        folder = str(ROOT / "tests" / "docker" / "postgres")
        run("docker", "build", "--network", "host", "-t", "postgres:17", folder)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("READSMITH_DATABASE_PASSWORD", "0123456789abcdef")
        with running(request, "readsmith-postgres", *SCALED, files=FILES) as stack:
            yield stack


def test_jobs_are_shared_and_end_though_a_trainer_and_a_worker_are_killed(stack: Stack) -> None:
    eventually(
        lambda: requests.get(f"{stack.trainer}/readyz", timeout=TIMEOUT).json()["workers"] == 2
    )
    urls = []
    for number in range(2):
        body = {**SMALL_JOB, "model": f"model-{number}"}
        answer = requests.post(f"{stack.trainer}/jobs", json=body, timeout=TIMEOUT)
        assert answer.status_code == 202, answer.text
        urls.append(f"{stack.trainer}{answer.headers['Location']}")

    def statuses() -> list[str]:
        return [requests.get(url, timeout=TIMEOUT).json()["status"] for url in urls]

    eventually(lambda: statuses().count("running") == 2)
    run("docker", "kill", stack.containers("trainer")[0])
    run("docker", "kill", stack.containers("worker")[0])
    eventually(lambda: set(statuses()) == {"succeeded"}, patience=900)
    for number in range(2):
        model = requests.get(f"{stack.trainer}/models/model-{number}", timeout=TIMEOUT).json()
        assert [each["version"] for each in model["versions"]] == [1]
