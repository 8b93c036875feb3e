"""All services of docker-compose.yml together, asked through the gateway."""

import csv
import io
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.docker.conftest import TIMEOUT, Stack, eventually, needs_docker, run
from tests.support.hostile.raw_requests import PROBLEM, exchange
from tests.support.labelled_images import image
from tests.support.models.bundles import png

pytestmark = needs_docker

SERVICES = ["trainer", "worker", "predictor", "gateway", "prediction-gateway"]
SMALL_JOB = {
    "dataset": {
        "synthetic": {
            "images": 300,
            "min_length": 1,
            "max_length": 2,
            "characters": "AHX",
            "width": 80,
            "height": 32,
        }
    },
    "hyperparameters": {"epochs": 40},
}


def post_job(stack: Stack, body: dict[str, Any]) -> str:
    answer = requests.post(f"{stack.trainer}/jobs", json=body, timeout=TIMEOUT)
    assert answer.status_code == 202, answer.text
    return f"{stack.trainer}{answer.headers['Location']}"


def job_at(url: str) -> dict[str, Any]:
    job: dict[str, Any] = requests.get(url, timeout=TIMEOUT).json()
    return job


def events_of(url: str) -> Iterator[str]:
    """Yield the types of a job's events as they come in, to the job's end."""
    headers = {"Accept": "text/event-stream"}
    with requests.get(f"{url}/events", headers=headers, stream=True, timeout=TIMEOUT) as stream:
        for line in stream.iter_lines(chunk_size=1, decode_unicode=True):
            if line.startswith("event: "):
                yield line.removeprefix("event: ")


def ask(stack: Stack, image: bytes, **fields: str) -> requests.Response:
    return requests.post(
        f"{stack.predictor}/predict",
        files={"image": ("captcha.png", image)},
        data=fields,
        headers={"X-Request-ID": "from-the-test"},
        timeout=TIMEOUT,
    )


@pytest.fixture(scope="module")
def images(stack: Stack) -> list[tuple[str, bytes]]:
    """A small job trained; the images that it never saw, each after its label."""
    url = post_job(stack, SMALL_JOB)
    events = list(events_of(url))
    job = job_at(url)
    assert job["status"] == "succeeded", job["error"]
    assert "progress" in events
    files = stack.held_out("default", job["version"])
    labels = csv.DictReader(io.StringIO(files["labels.csv"].decode()))
    return [(row["text"], files[row["filename"]]) for row in labels]


def test_before_a_model_is_trained_the_starter_answers_and_says_so(stack: Stack) -> None:
    answer = ask(stack, image("MARKET", (160, 48), 1)).json()
    assert (answer["text"], answer["model"]) == ("MARKET", "starter")
    assert "no model of your own" in answer["note"]


def test_the_predictors_own_refusal_passes_the_gateway(stack: Stack) -> None:
    answer = ask(stack, png("abc"), model="default")
    assert (answer.status_code, answer.json()["code"]) == (503, "no_version_served")
    assert answer.headers["Retry-After"]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == "from-the-test"


def test_a_job_trains_and_its_model_reads_images_that_it_never_saw(
    stack: Stack, images: list[tuple[str, bytes]]
) -> None:
    predictions = [
        (truth, eventually(lambda: ask(stack, image)).json()["text"])  # noqa: B023
        for truth, image in images
    ]
    right = sum(truth == text for truth, text in predictions)
    assert right >= 0.8 * len(predictions), predictions


def test_an_image_is_read_through_the_trainer_and_what_the_predictor_is_told_is_kept_there(
    stack: Stack, images: list[tuple[str, bytes]]
) -> None:
    truth, image = images[0]
    files = {"image": image}
    tried = requests.post(f"{stack.trainer}/try", files=files, timeout=TIMEOUT)
    assert (tried.status_code, tried.json()["model"]) == (200, "default")
    told = {"text": truth, "model": "default"}
    feedback = f"{stack.predictor}/feedback"
    answer = requests.post(feedback, files=files, data=told, timeout=TIMEOUT)
    assert answer.status_code == 202, answer.text
    corrections = f"{stack.trainer}/models/default/corrections"
    eventually(lambda: requests.get(corrections, timeout=TIMEOUT).json()["count"] == 1)


def test_a_killed_predictor_comes_back_with_the_model(
    stack: Stack, images: list[tuple[str, bytes]]
) -> None:
    # Not `docker kill`: the engine takes that for the user's wish and restarts nothing.
    restarts = ("docker", "inspect", "-f", "{{.RestartCount}}", stack.container("predictor"))
    before = int(run(*restarts))
    stack.inside("predictor", "kill -9 $(cat /proc/1/task/1/children)")
    eventually(lambda: int(run(*restarts)) > before)
    assert eventually(lambda: ask(stack, images[0][1])).json()["version"] == 1


def test_a_set_that_cannot_be_downloaded_fails_its_job_and_says_so(stack: Stack) -> None:
    url = post_job(stack, {"dataset": {"url": "http://nowhere.invalid/set.zip"}})
    list(events_of(url))
    job = job_at(url)
    assert (job["status"], job["error"]["code"]) == ("failed", "download_failed")
    assert "nowhere.invalid" in job["error"]["message"]


def test_a_job_cannot_reach_the_other_containers(stack: Stack) -> None:
    url = post_job(stack, {"dataset": {"url": "http://trainer:8000/openapi.json"}})
    list(events_of(url))
    assert job_at(url)["error"]["code"] == "download_refused"


def test_events_come_as_they_happen(stack: Stack) -> None:
    worker = stack.container("worker")
    run("docker", "pause", worker)
    try:
        url = post_job(stack, SMALL_JOB)
        events = events_of(url)
        assert next(events) == "status"  # the job waits, so nothing pushes this event out
        requests.post(f"{url}/cancel", timeout=TIMEOUT).raise_for_status()
        assert list(events) == ["status"]
    finally:
        run("docker", "unpause", worker)


def test_slow_clients_do_not_hold_the_predictor(stack: Stack) -> None:
    address = urlsplit(stack.predictor)
    lines = ["POST /predict HTTP/1.1", "Host: x", "Content-Type: image/png", "Content-Length: 99"]
    head = "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
    with ExitStack() as clients:
        for _ in range(100):  # more than the predictor has threads
            client = socket.create_connection((str(address.hostname), address.port or 80))
            clients.enter_context(client).sendall(head)
        assert requests.get(f"{stack.predictor}/healthz", timeout=TIMEOUT).ok


@pytest.mark.parametrize(
    ("service", "path", "megabytes"), [("trainer", "/jobs", 3), ("predictor", "/predict", 50)]
)
def test_a_body_that_is_too_large_for_the_gateway_is_a_problem_document(
    stack: Stack, service: str, path: str, megabytes: int
) -> None:
    url = getattr(stack, service) + path
    answer = requests.post(url, data=bytes(megabytes * 1_000_000), timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("service", ["trainer", "predictor"])
def test_what_is_not_http_is_a_problem_document_of_the_gateway(stack: Stack, service: str) -> None:
    port = urlsplit(getattr(stack, service)).port
    assert port is not None
    [answer] = exchange(port, b"nonsense\r\n\r\n", silence=TIMEOUT)
    assert (answer.status, answer.headers["content-type"]) == (400, PROBLEM)


def test_an_upload_may_be_larger_than_any_other_body(stack: Stack) -> None:
    files = {"file": bytes(50_000_000)}
    answer = requests.post(f"{stack.trainer}/datasets", files=files, timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["code"]) == (422, "dataset_not_a_zip")


@pytest.mark.parametrize("service", SERVICES)
def test_no_process_is_root_or_can_become_root(stack: Stack, service: str) -> None:
    facts: dict[str, set[str]] = {}
    for line in stack.inside(service, "cat /proc/[0-9]*/status").stdout.splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name, set()).update(value.split())
    assert facts["Uid"] == facts["Gid"] == {"10001"}
    assert facts["CapBnd"] == {"0000000000000000"}
    assert facts["NoNewPrivs"] == {"1"}


@pytest.mark.parametrize("service", SERVICES)
def test_the_root_file_system_is_read_only(stack: Stack, service: str) -> None:
    assert "Read-only file system" in stack.inside(service, "touch /x", user="0").stderr


def test_only_the_trainer_writes_models(stack: Stack) -> None:
    assert "Read-only file system" in stack.inside("predictor", "touch /models/x").stderr
    assert stack.inside("worker", "touch /models/x && rm /models/x").returncode == 0


def networks(stack: Stack, service: str) -> set[str]:
    shown = "{{range .NetworkSettings.Networks}}{{.NetworkID}} {{end}}"
    return set(run("docker", "inspect", "-f", shown, stack.container(service)).split())


def test_the_predictor_has_no_network_but_one_without_a_way_out(stack: Stack) -> None:
    (only,) = networks(stack, "predictor")
    assert run("docker", "network", "inspect", "-f", "{{.Internal}}", only).strip() == "true"
    assert only in networks(stack, "prediction-gateway")
    for service in ("worker", "trainer", "gateway"):
        assert only not in networks(stack, service)


def test_the_predictor_reaches_no_route_of_the_trainer_but_corrections(stack: Stack) -> None:
    def post(path: str) -> str:
        script = (
            "import sys, urllib.request as r, urllib.error as e\n"
            f"request = r.Request('http://prediction-gateway:8001{path}', b'{{}}')\n"
            "request.add_header('Host', 'localhost')\n"  # as the predictor's own requests
            "try: print(r.urlopen(request).status)\n"
            "except e.HTTPError as error: print(error.status)"
        )
        return stack.inside("predictor", f'python -c "{script}"').stdout.strip()

    assert post("/datasets") == "403"
    assert post("/models/default/corrections") in ("415", "422")
    assert "gateway" in stack.inside("predictor", "getent hosts prediction-gateway").stdout
    assert stack.inside("predictor", "getent hosts gateway").returncode != 0


@pytest.mark.parametrize("service", ["trainer", "predictor"])
def test_no_service_can_make_itself_a_key(stack: Stack, service: str) -> None:
    assert "Read-only file system" in stack.inside(service, "touch /keys/x").stderr


def test_the_first_key_closes_both_services_through_the_gateway(stack: Stack) -> None:
    said = stack.compose("run", "--rm", "-T", "keys", "create", "test", "--scope", "admin")
    key = said.split()[-1]  # what comes before is of the image's making, if that was due
    try:
        for url in (f"{stack.trainer}/jobs", f"{stack.predictor}/models"):
            eventually(lambda: requests.get(url, timeout=TIMEOUT).status_code == 401)  # noqa: B023
            headers = {"Authorization": f"Bearer {key}"}
            assert requests.get(url, headers=headers, timeout=TIMEOUT).status_code == 200
        assert key not in stack.compose("logs", "--no-color")
    finally:  # the tests after this one ask without a key
        stack.compose("run", "--rm", "-T", "--entrypoint", "rm", "keys", "/keys/keys.json")
        stack.compose("restart", "trainer", "predictor")
        eventually(lambda: requests.get(f"{stack.predictor}/models", timeout=TIMEOUT).ok)
        eventually(lambda: requests.get(f"{stack.trainer}/jobs", timeout=TIMEOUT).ok)
