"""Processes that train together: real ones, as on several hosts; see tests/faults/test_hosts.py."""

import json
import os
import socket
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import ReadsmithError
from trainer.process_group import VARIABLE, find_group

EPOCHS = 2


def config(ports: list[int], index: int) -> str:
    workers = [f"127.0.0.1:{port}" for port in ports]
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def free_ports(count: int) -> list[int]:
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in listening]
    for one in listening:
        one.close()
    return ports


def fit(group: str, folder: Path) -> list[tuple[list[float], list[Any]]]:
    """Train in a process of a group, and in the first one again alone: losses and variables."""
    os.environ[VARIABLE] = group
    from trainer.pipeline.training.devices import (  # noqa: PLC0415 - after TF_CONFIG
        CPU,
        find_devices,
        require_alike,
    )

    folder.mkdir()
    found = find_group(os.environ)
    together = find_devices(found)
    assert found is not None
    assert str(together) == "on the CPU, in 2 processes"
    require_alike(together, "the same")
    with pytest.raises(ReadsmithError, match="do not train on the same pictures"):
        require_alike(together, folder.name)
    return [_fit(folder, devices) for devices in (together, CPU)[: 1 + found.leads]]


def _fit(folder: Path, devices: Any) -> tuple[list[float], list[Any]]:
    from tests.trainer.test_devices import make_fitting, without_dropout  # noqa: PLC0415

    fitting = without_dropout(make_fitting(folder, devices))
    state = fitting.first_state(0, 0.0)
    for _ in range(EPOCHS):
        fitting.epoch(state)
    losses = [number for one in state.history for number in (one.loss, one.validation_loss)]
    return losses, state.weights


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    ports = free_ports(2)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        first, second = (
            pool.submit(fit, config(ports, place), tmp_path / str(place)) for place in (0, 1)
        )
        [(losses, variables), (alone, one)], [(losses_2, variables_2)] = (
            first.result(),
            second.result(),
        )
    assert losses == losses_2
    assert all(map(np.array_equal, variables, variables_2))
    assert losses == pytest.approx(alone, rel=1e-4)
    for on_one, on_two in zip(one, variables, strict=True):
        # The mean, because Adam makes steps of noise where a gradient is all but nothing.
        assert np.abs(on_two - on_one).mean() <= 1e-3 * np.abs(on_one).mean() + 1e-6


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
