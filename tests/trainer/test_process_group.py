"""Processes that train together: real ones, as `readsmith train` starts them on several hosts."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from tests.drawn import labelled_zip, texts
from trainer.process_group import VARIABLE, find_group

EPOCHS = "4"


def config(ports: list[int], index: int) -> str:
    workers = [f"127.0.0.1:{port}" for port in ports]
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def free_ports(count: int) -> list[int]:
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in listening]
    for one in listening:
        one.close()
    return ports


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "Invalid JSON"),
        ("[]", "it: "),
        ('{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}', "cluster.worker"),
        (config([1, 2], 2), "task.index must be below 2"),
        (config([1, 2], -1), "task.index: "),
        (config([1, 2], 0).replace("127.0.0.1:1", "nowhere"), "cluster.worker.0: "),
        (config([1, 2], 0).replace('"worker", "index"', '"ps", "index"'), "task.type: "),
    ],
)
def test_what_is_wrong_with_the_group_is_said(text: str, told: str) -> None:
    with pytest.raises(ReadsmithError) as refused:
        find_group({VARIABLE: text})
    assert refused.value.code == "tf_config_invalid"
    assert told in refused.value.message


def test_a_group_of_one_is_none() -> None:
    assert find_group({}) is None
    assert find_group({VARIABLE: config([1], 0)}) is None
    group = find_group({VARIABLE: config([1, 2, 3], 1)})
    assert group is not None
    assert (group.size, group.leads, group.others) == (3, False, ["127.0.0.1:1", "127.0.0.1:3"])
