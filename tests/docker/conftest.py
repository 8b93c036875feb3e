"""The containers as a user starts them, on a Docker engine."""

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import requests

from tests.support.paths import ROOT
from tests.support.services.services import free_port

T = TypeVar("T")

TIMEOUT = 120.0
"""Seconds after which a test gives up; far more than a busy machine needs."""

needs_docker = [
    pytest.mark.skipif(
        "READSMITH_TEST_DOCKER" not in os.environ,
        reason="builds images and needs a Docker engine: make test-docker",
    ),
    pytest.mark.timeout(1800),
]


def eventually(happened: Callable[[], T], patience: float = TIMEOUT) -> T:
    """Ask until the answer counts as true, and return it; a refused connection does not."""
    deadline = time.monotonic() + patience
    while True:
        with contextlib.suppress(requests.ConnectionError):
            if answer := happened():
                return answer
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.5)


def run(*command: str) -> str:
    """Run a command, see that it succeeds, and return what it wrote to standard output."""
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


@dataclass(frozen=True)
class Stack:
    """The services of docker-compose.yml, in a project of their own."""

    trainer: str
    predictor: str
    project: str
    files: Sequence[str] = ()
    """Further arguments of docker-compose that name files."""

    def compose(self, *arguments: str) -> str:
        """Run docker-compose, of whichever generation."""
        program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        files = ["-f", "docker-compose.yml", "-f", "tests/docker/docker-compose.override.yml"]
        return run(*program, "-p", self.project, *files, *self.files, *arguments)

    def inside(
        self, service: str, script: str, user: str = "10001:10001"
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script in a service's container."""
        command = ["docker", "exec", "-u", user, self.container(service), "sh", "-c", script]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def container(self, service: str) -> str:
        """The id of a service's container."""
        [only] = self.containers(service)
        return only

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return self.compose("ps", "-q", service).split()

    def held_out(self, model: str, version: int) -> dict[str, bytes]:
        """The files of a version's held-out images and their labels."""
        folder = f"/models/{model}/versions/{version}/report/held_out"
        command = ["docker", "exec", self.container("worker"), "tar", "-C", folder, "-c", "."]
        archive = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            return {
                Path(member.name).name: file.read()
                for member in tar
                if (file := tar.extractfile(member)) is not None
            }


@contextmanager
def running(
    request: pytest.FixtureRequest, project: str, *up: str, files: Sequence[str] = ()
) -> Iterator[Stack]:
    """Services built and up, with these arguments; torn down with their volumes."""
    ports = {"READSMITH_TRAINER_PORT": free_port(), "READSMITH_PREDICTOR_PORT": free_port()}
    trainer, predictor = (f"http://127.0.0.1:{port}" for port in ports.values())
    stack = Stack(trainer, predictor, project, files)
    is_up = False
    with pytest.MonkeyPatch.context() as environment:
        for name, port in ports.items():
            environment.setenv(name, str(port))
        try:
            stack.compose("up", "-d", "--build", *up)
            eventually(lambda: requests.get(f"{predictor}/readyz", timeout=TIMEOUT))
            is_up = True
            yield stack
        finally:
            if request.session.testsfailed or not is_up:
                print(stack.compose("logs", "--no-color", "--tail", "40"))
            stack.compose("down", "-v")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """All services, one container each."""
    with running(request, "readsmith-test") as stack:
        eventually(lambda: requests.get(f"{stack.trainer}/readyz", timeout=TIMEOUT))
        yield stack
