"""`readsmith label`: a folder's images, in a dataset of the services that run or that it starts."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.commands import Run
from tests.support.labelled_images import image, texts
from tests.support.paths import ROOT
from tests.support.services import services

LABELS = texts(12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve unlabelled images."""
    made = tmp_path / "My Meters"
    made.mkdir()
    for number, text in enumerate(LABELS):
        (made / f"{number}.png").write_bytes(image(text, seed=number))
    return made


@contextmanager
def labelling(folder: Path) -> "Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]":
    """Run the command where no service answers; yields it, and what it printed."""
    ports = {
        "READSMITH_TRAINER_PORT": str(services.free_port()),
        "READSMITH_PREDICTOR_PORT": str(services.free_port()),
    }
    command = [sys.executable, "-m", "readsmith", "label", str(folder), "--no-browser", "--json"]
    with subprocess.Popen(
        command,
        cwd=folder.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | ports,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or lines[-1] != "}\n":
            lines.append(process.stdout.readline())
            assert lines[-1], "it has ended"
        yield process, json.loads("".join(lines))
        process.send_signal(signal.SIGINT)
        assert process.wait(services.TIMEOUT) == 0


def test_it_starts_the_services_and_goes_on_with_the_same_dataset(folder: Path) -> None:
    with labelling(folder) as (_, printed):
        page, _, fragment = printed["address"].partition("#/label/")
        assert fragment == printed["dataset"]["id"]
        assert printed["dataset"]["name"] == "my-meters"
        assert printed["dataset"]["counts"]["unlabelled"] == len(LABELS)
        assert requests.get(page, timeout=60).ok
    with pytest.raises(requests.ConnectionError):
        requests.get(page, timeout=5)

    (folder / "later.png").write_bytes(image("T", seed=99))
    (folder / "notes.png").write_bytes(b"no image")
    with labelling(folder) as (_, again):
        assert again["dataset"]["id"] == printed["dataset"]["id"]
        assert again["dataset"]["counts"]["unlabelled"] == len(LABELS) + 1


def test_labels_come_along_to_services_that_run(run: Run, folder: Path, tmp_path: Path) -> None:
    table = "\n".join(["filename,text", *(f"{i}.png,{text}" for i, text in enumerate(LABELS[:5]))])
    (folder / "labels.csv").write_text(table)
    with services.trainer(tmp_path / "running") as trainer:
        done = run("label", folder, "--name", "dials", "--url", trainer.url, "--no-browser")
        assert done.exit_code == 0, done.output
        dataset = requests.get(f"{trainer.url}/datasets", timeout=60).json()["data"][0]
    assert done.stdout == (
        f"dials: 12 images. Label them at\n{trainer.url}/#/label/{dataset['id']}\n"
    )
    assert dataset["name"] == "dials"
    assert dataset["counts"]["confirmed"] == 5
    assert dataset["counts"]["unlabelled"] == 7


def test_file_names_are_labels_only_where_that_is_said(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "named"
    folder.mkdir()
    for seed, text in enumerate(("226MD", "7GAB2", "HTXPF", "KLM42")):
        (folder / f"{text}.png").write_bytes(image(text, seed=seed))
    with services.trainer(tmp_path / "running") as trainer:
        counts = {}
        for name, more in (("without", ()), ("with", ("--labels", "filename"))):
            at = ("--name", name, "--url", trainer.url, "--no-browser", "--json")
            done = run("label", folder, *at, *more)
            assert done.exit_code == 0, done.output
            counts[name] = json.loads(done.stdout)["dataset"]["counts"]["confirmed"]
    assert counts == {"without": 0, "with": 4}


def test_a_trainer_that_is_named_and_does_not_answer_is_told(run: Run, folder: Path) -> None:
    url = f"http://127.0.0.1:{services.free_port()}"
    done = run("label", folder, "--url", url, "--no-browser")
    assert done.exit_code == 1
    assert url in done.stderr
