"""What docker-compose.yml says of networks, read without a Docker engine."""

from typing import Any

import yaml

from tests.support.paths import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]


def networks(service: str) -> set[str]:
    return set(SERVICES[service].get("networks", ()))


def neighbours(service: str) -> set[str]:
    """Return the services that this one shares a network with."""
    return {other for other in SERVICES if other != service and networks(other) & networks(service)}


def test_the_predictor_has_one_network_without_a_way_out_and_one_neighbour() -> None:
    [only] = networks("predictor")
    assert COMPOSE["networks"][only] == {"internal": True}
    assert neighbours("predictor") == {"prediction-gateway"}


def test_that_neighbour_runs_the_servers_of_the_predictor_alone() -> None:
    assert SERVICES["prediction-gateway"]["command"][-1] == "/etc/nginx/nginx.prediction.conf"
    main = (ROOT / "gateway" / "nginx.prediction.conf").read_text(encoding="utf-8")
    assert "training.conf" not in main
    url = SERVICES["predictor"]["environment"]["READSMITH_TRAINER_URL"]
    assert url == "http://prediction-gateway:8001"
    [port] = SERVICES["prediction-gateway"]["ports"]
    assert port.endswith(":8080")


def test_every_configuration_that_a_container_is_told_of_is_in_the_image() -> None:
    commands = [service.get("command", []) for service in SERVICES.values()]
    told = [command[-1] for command in commands if command and command[0] == "nginx"]
    assert len(told) == 2
    for path in told:
        assert (ROOT / "gateway" / path.removeprefix("/etc/nginx/")).is_file()
