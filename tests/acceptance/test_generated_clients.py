"""What generates clients and types from OpenAPI understands both descriptions."""

import json
import re
import shutil
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from predictor.api.openapi.document import description as predictor_description
from tests.support.api.openapi import trainer_description
from tests.support.registry import package_index  # noqa: F401 - a fixture

DESCRIPTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "trainer": trainer_description,
    "predictor": predictor_description,
}
PYTHON_TOOLS = (
    # Later ones leave an import out where a body may be of several types, as ours may.
    "openapi-python-client==0.24.3",
    "datamodel-code-generator==0.89.0",
)
TYPESCRIPT_TOOLS = ("openapi-typescript@7.13.0", "typescript@5.9.3")
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
    print(module.name.rpartition(".")[2])
"""

pytestmark = pytest.mark.timeout(1800)  # of which the registries and a busy machine take most


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(each) for each in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def operations(service: str) -> list[str]:
    """Return the id of each operation of a service."""
    paths = DESCRIPTIONS[service]()["paths"]
    return [each["operationId"] for methods in paths.values() for each in methods.values()]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both descriptions."""
    folder = tmp_path_factory.mktemp("described")
    for service, description in DESCRIPTIONS.items():
        (folder / f"{service}.json").write_text(json.dumps(description()))
    return folder


@pytest.fixture(scope="module")
def tools(described: Path, package_index: None) -> Path:  # noqa: F811 - the fixture
    """The commands of a fresh environment that holds the generators for Python."""
    venv.create(described / "venv", with_pip=True)
    commands = described / "venv/bin"
    run(commands / "pip", "install", "-q", "--no-compile", *PYTHON_TOOLS, cwd=described)
    return commands


@pytest.fixture(scope="module")
def node(described: Path) -> Path:
    """The commands of a folder that holds the generator for TypeScript."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm")
    asked = subprocess.run(
        ["npm", "view", TYPESCRIPT_TOOLS[0], "version", "--fetch-retries=0"],
        cwd=described, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if asked.returncode:
        pytest.skip(f"no way to the npm registry: {asked.stderr.strip()[-200:]}")
    run("npm", "install", "--no-audit", "--no-fund", *TYPESCRIPT_TOOLS, cwd=described)
    return described / "node_modules/.bin"


@pytest.mark.parametrize("service", DESCRIPTIONS)
def test_every_operation_has_an_id_of_its_own_that_can_be_a_name(service: str) -> None:
    ids = operations(service)

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", each) for each in ids)


@pytest.mark.parametrize("service", DESCRIPTIONS)
def test_openapi_python_client_makes_a_module_of_every_operation(
    service: str, described: Path, tools: Path
) -> None:
    target = described / service
    said = run(
        tools / "openapi-python-client", "generate", "--path", f"{service}.json",
        "--output-path", target, "--meta", "none", cwd=described,
    )  # fmt: skip

    # Answers that are images or zips have no type; that alone may be warned of.
    assert not re.findall(r"Unable.*|.*removal of.*|Could not find reference.*", said)
    modules = run(tools / "python", "-c", IMPORT_ALL, service, cwd=described).split()
    assert set(operations(service)) <= set(modules)


@pytest.mark.parametrize("service", DESCRIPTIONS)
def test_datamodel_code_generator_makes_models_that_can_be_imported(
    service: str, described: Path, tools: Path
) -> None:
    module = f"{service}_models"
    run(
        tools / "datamodel-codegen", "--input", f"{service}.json", "--input-file-type", "openapi",
        "--output", f"{module}.py", "--output-model-type", "pydantic_v2.BaseModel", cwd=described,
    )  # fmt: skip

    shown = run(
        tools / "python", "-c", f"import {module}; print(*vars({module}))", cwd=described
    ).split()
    assert {"Problem", "Prediction" if service == "predictor" else "JobRequest"} <= set(shown)


@pytest.mark.parametrize("service", DESCRIPTIONS)
def test_openapi_typescript_makes_types_that_compile(
    service: str, described: Path, node: Path
) -> None:
    run(node / "openapi-typescript", f"{service}.json", "-o", f"{service}.ts", cwd=described)
    run(node / "tsc", "--noEmit", "--strict", f"{service}.ts", cwd=described)

    types = (described / f"{service}.ts").read_text()
    assert set(operations(service)) <= set(re.findall(r'operations\["(\w+)"\]', types))
