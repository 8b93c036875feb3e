"""Whether packages can be installed from the package index."""

import subprocess
import sys

import pytest

SECONDS = 60


@pytest.fixture(scope="session")
def package_index() -> None:
    """Skip the test where pip finds no package index, through whatever mirror it is set to use."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed"]
    try:
        asked = subprocess.run(
            [*command, "--no-deps", "--retries", "0", "packaging"],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the package index does not answer")
    if asked.returncode:
        pytest.skip(f"no way to the package index: {asked.stderr.strip()[-200:]}")
