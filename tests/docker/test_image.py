"""What `docker build -t captcha-solver .` makes, run by itself."""

from collections.abc import Iterator

import pytest
import requests

from tests.docker.conftest import TIMEOUT, eventually, needs_docker, run
from tests.support.labelled_images import image
from tests.support.services.services import free_port

pytestmark = needs_docker


@pytest.fixture(scope="module")
def predictor() -> Iterator[str]:
    """The URL of the running image."""
    port = free_port()
    run("docker", "build", "--network", "host", "-t", "captcha-solver", ".")
    container = run("docker", "run", "-d", "-p", f"127.0.0.1:{port}:8080", "captcha-solver").strip()
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: requests.get(f"{url}/healthz", timeout=TIMEOUT))
        yield url
    finally:
        run("docker", "rm", "-f", "-v", container)


def test_the_image_answers_with_the_starter_and_says_what_it_lacks(predictor: str) -> None:
    form = {"image": ("word.png", image("MARKET", (160, 48), 1))}
    answer = requests.post(f"{predictor}/predict", files=form, timeout=TIMEOUT)
    assert (answer.json()["text"], answer.json()["model"]) == ("MARKET", "starter")
    answer = requests.post(f"{predictor}/predict?model=default", files=form, timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["code"]) == (503, "no_version_served")
    assert "POST /jobs" in answer.json()["hint"]
