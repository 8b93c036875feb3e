"""`docker-compose up --scale predictor=3`: replicas behind the gateway, and none is missed."""

from collections.abc import Iterator

import pytest

from tests.docker.conftest import Stack, eventually, needs_docker, run, running
from tests.support.api.metrics import sample
from tests.support.services.predictor import Client, clients_of

pytestmark = needs_docker

METRICS = (
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
)


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Three predictors and the gateway; nobody trains."""
    scaled = ("--no-deps", "--scale", "predictor=3", "predictor", "prediction-gateway")
    with running(request, "readsmith-replicas", *scaled) as stack:
        wait_until_healthy(stack)
        yield stack


def wait_until_healthy(stack: Stack) -> None:
    for container in stack.containers("predictor"):
        health = ("docker", "inspect", "-f", "{{.State.Health.Status}}", container)
        eventually(lambda: run(*health).strip() == "healthy")  # noqa: B023


def predictions(container: str) -> float:
    page = run("docker", "exec", container, "python", "-c", METRICS)
    return sample(page, "readsmith_predictions_total")


def failures(clients: list[Client]) -> list[str]:
    assert all(client.answered for client in clients)
    print(f"{sum(client.answered for client in clients)} requests answered")
    return [failure for client in clients for failure in client.failures]


def test_the_load_is_spread_and_what_the_replicas_count_adds_up(stack: Stack) -> None:
    before = sum(map(predictions, stack.containers("predictor")))
    with clients_of(stack.predictor) as clients:
        eventually(lambda: min(map(predictions, stack.containers("predictor"))) > 10)
    assert failures(clients) == []
    after = sum(map(predictions, stack.containers("predictor")))
    assert after - before == sum(client.answered for client in clients)


def test_a_replica_that_is_killed_costs_no_request(stack: Stack) -> None:
    first, second, _ = stack.containers("predictor")
    with clients_of(stack.predictor) as clients:
        run("docker", "kill", first)  # gone, with its address
        run("docker", "exec", second, "sh", "-c", "kill -9 $(cat /proc/1/task/1/children)")
        eventually(lambda: min(client.answered for client in clients) > 200)
        run("docker", "start", first)
        wait_until_healthy(stack)
    assert failures(clients) == []


def test_replicas_that_are_restarted_one_by_one_cost_no_request(stack: Stack) -> None:
    with clients_of(stack.predictor) as clients:
        for container in stack.containers("predictor"):
            run("docker", "restart", "-t", "35", container)
            wait_until_healthy(stack)
    assert failures(clients) == []


def test_a_new_image_goes_live_beside_the_old_one_and_costs_no_request(stack: Stack) -> None:
    old = stack.containers("predictor")
    with clients_of(stack.predictor) as clients:
        twice = ("--no-deps", "--no-recreate", "--scale", "predictor=6", "predictor")
        stack.compose("up", "-d", *twice)
        wait_until_healthy(stack)
        for container in old:
            run("docker", "stop", "-t", "35", container)
        run("docker", "rm", *old)
    assert failures(clients) == []
    assert len(stack.containers("predictor")) == 3
