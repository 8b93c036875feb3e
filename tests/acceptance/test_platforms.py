"""What is installed can be resolved for every computer that the guide names."""

import os
import subprocess
import venv
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.registry import package_index  # noqa: F401 - a fixture

UV = "uv==0.13.9"


@pytest.fixture(scope="module")
def uv(tmp_path_factory: pytest.TempPathFactory, package_index: None) -> Path:  # noqa: F811
    folder = tmp_path_factory.mktemp("uv")
    venv.create(folder, with_pip=True)
    command = [str(folder / "bin/pip"), "install", "-q", "--no-compile", UV]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "bin/uv"


@pytest.mark.timeout(1800)  # of which the package index and a busy machine take most
@pytest.mark.parametrize(
    "platform", ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin"]
)
def test_training_and_serving_resolve(platform: str, uv: Path) -> None:
    command = [
        str(uv), "pip", "compile", "pyproject.toml", "--extra", "trainer", "--extra", "predictor",
        "--python-version", "3.11", "--python-platform", platform, "--quiet",
    ]  # fmt: skip
    # ONNX Runtime's packages need macOS 14; uv assumes 13.
    environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    expected = "tensorflow-cpu==" if platform.startswith("x86_64") else "tensorflow=="
    assert [line for line in done.stdout.splitlines() if line.startswith(expected)]
