"""Ctrl-C on a real `readsmith train`."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.store.store import ModelStore
from tests.support.labelled_images import labelled_zip, texts


@pytest.fixture
def training(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A training of a thousand epochs, in the fourth of them."""
    dataset = labelled_zip(tmp_path / "set.zip", texts(160))
    command = ["train", str(dataset), "--store", str(tmp_path / "models"), "--epochs", "1000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "readsmith", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stderr is not None
    for line in process.stderr:
        assert "absl" not in line and "port.cc" not in line, "a log line of TensorFlow"
        if line.startswith("  epoch 3/1000"):
            break
    yield process
    process.kill()
    process.communicate()


def test_the_first_ctrl_c_publishes_what_is_learned(
    training: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    training.send_signal(signal.SIGINT)
    out, err = training.communicate(timeout=300)
    assert "Finishing: what is learned so far is published." in err
    assert "Published default version 1" in out, err
    assert training.returncode == 0
    metrics = ModelStore(tmp_path / "models").manifest("default", 1).metrics
    assert metrics is not None
    assert 4 <= metrics.epochs < 20


def test_the_second_stops_at_once_and_publishes_nothing(
    training: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    assert training.stderr is not None
    training.send_signal(signal.SIGINT)
    for line in training.stderr:
        if "Finishing" in line:
            break
    training.send_signal(signal.SIGINT)
    _, err = training.communicate(timeout=60)
    assert "Nothing is published" in err
    assert training.returncode == 130
    assert ModelStore(tmp_path / "models").models() == []
