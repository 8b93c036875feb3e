"""Processes that train together, as `readsmith train` starts them on several hosts."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drawn import labelled_zip, texts
from tests.trainer.test_process_group import config, free_ports
from trainer.process_group import VARIABLE

EPOCHS = "4"


def start(dataset: Path, store: Path, group: str = "", *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "readsmith", "train", str(dataset), "--json"]
    command += ["--store", str(store), "--state", str(store / "state"), *options]
    return subprocess.Popen(
        command,
        env=os.environ | {VARIABLE: group, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_get_the_metrics_of_one(tmp_path: Path) -> None:
    dataset = labelled_zip(tmp_path / "set.zip", texts(80))
    ports, options = free_ports(2), ("--epochs", EPOCHS, "--preset", "conv")
    runs = [start(dataset, tmp_path / f"{i}", config(ports, i), *options) for i in (0, 1)]
    (told, said), (along, _) = [run.communicate(timeout=500) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    alone, _ = start(dataset, tmp_path / "alone", "", *options).communicate(timeout=500)
    two, one = json.loads(told), json.loads(alone)
    assert "in 2 processes" in said
    assert json.loads(along) == {"model": "default", "version": None}
    assert not (tmp_path / "1" / "default").exists()
    # All that differs is dropout, which each process draws for its own part of a batch.
    assert two["validation_exact_match"] == pytest.approx(one["validation_exact_match"], abs=0.13)
    assert two["exact_match"] == pytest.approx(one["exact_match"], abs=0.13)  # one image of eight
    assert two["mean_confidence"] == pytest.approx(one["mean_confidence"], abs=0.05)
    assert two["epochs"] == one["epochs"]


def test_a_lost_process_is_an_error_for_the_others_and_nothing_is_published(tmp_path: Path) -> None:
    dataset = labelled_zip(tmp_path / "set.zip", texts(60))
    ports = free_ports(2)
    first, second = (
        start(dataset, tmp_path / f"{i}", config(ports, i), "--epochs", "1000") for i in (0, 1)
    )
    assert first.stderr is not None
    for line in first.stderr:
        if "epoch 1/" in line:
            break
    second.send_signal(signal.SIGKILL)
    _, said = first.communicate(timeout=200)
    second.communicate()
    assert first.returncode == 1
    assert json.loads(said.splitlines()[-1])["error"]["code"] == "process_lost"
    assert not (tmp_path / "0" / "default").exists()
