"""The serving benchmark's command, in its quick form."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT


def benchmark(arguments: Sequence[str | Path]) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if k != "READSMITH_TEST_DATA"}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.predict", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_benchmark_serves_measures_prints_and_writes_what_it_found(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    parts = ["--part", "model", "--part", "batch", "--part", "profile"]

    done = benchmark([*parts, "--quick", "--json", file])

    assert done.returncode == 0, done.stderr
    assert "a drawn image" in done.stderr
    record: dict[str, Any] = json.loads(file.read_text())
    assert list(record["figures"]) == ["model", "batch", "profile"]
    assert len(record["figures"]["batch"]["rounds"]) == 3
    assert all(time > 0 for time in record["figures"]["profile"]["milliseconds"].values())
    assert {"conv", "conv-large", "crnn"} < set(record["figures"]["model"])
    assert "images/s in requests of 64" in done.stdout
