"""What the containers install is part of what everything else is tested with."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.support.paths import ROOT

LOCKS = {
    "trainer/requirements.lock": ["trainer"],
    "trainer/cluster.lock": ["trainer", "postgres", "s3", "ray"],
    "predictor/requirements.lock": ["predictor"],
    "predictor/cluster.lock": ["predictor", "s3"],
}
"""What the containers install, and the parts of the project that it is."""


def pinned(lock: str) -> set[str]:
    """Each requirement of a lock with its hashes, wherever it is installed."""
    lines = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    return {re.sub(r" ;.*?(?= +--hash)", "", line) for line in lines}


def names(requirements: set[str]) -> set[str]:
    return {re.split(r"[<>=\[]", requirement)[0] for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_service_installs_the_very_packages_of_the_common_lock(lock: str) -> None:
    assert pinned(lock) <= pinned("requirements.lock")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_service_installs_everything_that_it_asks_for(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [project["optional-dependencies"][extra] for extra in LOCKS[lock]]
    wanted = {*project["dependencies"], *(each for extra in extras for each in extra)}

    assert names(wanted) <= names(pinned(lock))


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock.startswith("predictor/")])
def test_the_predictor_installs_no_tensorflow(lock: str) -> None:
    tensorflow = {"tensorflow", "tensorflow-cpu", "keras", "tf2onnx"}

    assert not tensorflow & names(pinned(lock))


@pytest.mark.parametrize("service", ["trainer", "predictor"])
def test_one_machine_installs_nothing_that_only_several_need(service: str) -> None:
    several = {"psycopg", "boto3", "ray"}

    assert not several & names(pinned(f"{service}/requirements.lock"))


@pytest.mark.parametrize(
    ("system", "machine", "package"),
    [
        ("linux", "x86_64", "tensorflow-cpu"),
        ("linux", "aarch64", "tensorflow"),
        ("darwin", "arm64", "tensorflow"),
    ],
)
def test_every_computer_gets_one_tensorflow_and_the_one_that_exists_for_it(
    system: str, machine: str, package: str
) -> None:
    lines = (ROOT / "trainer/requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.rstrip(" \\")) for line in lines if line.startswith("tensorflow")]
    place = {"sys_platform": system, "platform_machine": machine}

    assert [each.name for each in pins if each.marker is None or each.marker.evaluate(place)] == [
        package
    ]
