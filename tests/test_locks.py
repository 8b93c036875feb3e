"""What the containers install is part of what everything else is tested with."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVICES = ["trainer", "predictor"]


def pinned(lock: str) -> set[str]:
    """Each requirement of a lock with its hashes, wherever it is installed."""
    lines = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    return {re.sub(r" ;.*?(?= +--hash)", "", line) for line in lines}


def names(requirements: set[str]) -> set[str]:
    return {re.split("[<>=]", requirement)[0] for requirement in requirements}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_installs_the_very_packages_of_the_common_lock(service: str) -> None:
    assert pinned(f"{service}/requirements.lock") <= pinned("requirements.lock")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_installs_everything_that_it_asks_for(service: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"][service]}

    assert names(wanted) <= names(pinned(f"{service}/requirements.lock"))


def test_the_predictor_installs_no_tensorflow() -> None:
    tensorflow = {"tensorflow", "tensorflow-cpu", "keras", "tf2onnx"}

    assert not tensorflow & names(pinned("predictor/requirements.lock"))
