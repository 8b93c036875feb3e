"""Living datasets from Python and on the command line, by a real trainer."""

import json
import os
import signal
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from readsmith.client import Client, ServiceError
from shared.api.labelling import LivingDataset
from tests.support.commands import Run
from tests.support.labelled_images import image, labelled_zip
from tests.support.services import services

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.trainer(tmp_path_factory.mktemp("trainer")) as trainer:
        yield trainer.url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(NOBODY, url) as client:
        yield client


def test_images_are_added_in_several_requests_labelled_and_exported(
    client: Client, tmp_path: Path
) -> None:
    dataset = client.datasets.create("meters").id
    file = tmp_path / "first.png"
    file.write_bytes(image("first"))
    named = [(f"{number:03}.png", image(f"{number}")) for number in range(70)]
    done = client.datasets.add(dataset, [file, *named, ("notes.png", b"none")])
    assert (done.added, done.known) == (71, 0)
    assert [each.name for each in done.rejected] == ["notes.png"]
    images = list(client.datasets.images(dataset, "random", ["unlabelled"]))
    assert len({one.id for one in images}) == 71

    def confirmed(text: str) -> dict[str, object]:
        one = images[0]
        return {"id": one.id, "version": one.version, "state": "confirmed", "text": text}

    changed = client.datasets.label(dataset, [confirmed("7")], by="Ada")
    assert changed.data[0].by == "Ada"
    with pytest.raises(ServiceError) as raised:
        client.datasets.label(dataset, [confirmed("1")], by="Bob")
    assert (raised.value.code, raised.value.status) == ("labels_changed", 409)
    client.datasets.rename(dataset, "water meters")
    found = client.datasets.get(dataset)
    assert isinstance(found, LivingDataset) and found.name == "water meters"
    assert found.learning == client.datasets.learn(dataset)
    client.datasets.export(dataset, tmp_path / "set.zip")
    with zipfile.ZipFile(tmp_path / "set.zip") as packed:
        assert len(packed.namelist()) == 72
        assert packed.read("first.png") == image("first")
    client.datasets.delete(dataset)
    with pytest.raises(ServiceError) as raised:
        client.datasets.get(dataset)
    assert raised.value.code == "dataset_not_found"
    with pytest.raises(ServiceError):
        client.datasets.export(dataset, tmp_path / "gone.zip")
    assert not (tmp_path / "gone.zip").exists()


def test_commands_import_show_export_and_delete(run: Run, url: str, tmp_path: Path) -> None:
    labelled_zip(tmp_path / "set.zip", ["A", "H", "X"])
    there = ("--url", url)
    made = json.loads(run("datasets", "import", "set.zip", *there, "--json").stdout)
    assert made["name"] == "set" and made["counts"]["confirmed"] == 3
    dataset = made["id"]
    listed = json.loads(run("datasets", "list", *there, "--json").stdout)["data"]
    assert [each["id"] for each in listed] == [dataset]  # the upload is gone
    assert "set" in run("datasets", "list", *there).stdout
    shown = run("datasets", "show", dataset, *there).stdout
    assert "confirmed" in shown and "learns from its labels" in shown
    run("datasets", "export", dataset, "out.zip", "--to", "huggingface", *there)
    again = run("datasets", "import", "out.zip", "--name", "again", *there).stdout
    assert "3 images, 3 of them labelled" in again
    taken = run("datasets", "export", dataset, "out.zip", *there)
    assert taken.exit_code == 1 and "exists already" in taken.stderr
    kept = run("datasets", "delete", dataset, *there)
    assert kept.exit_code == 1 and "3 labels" in kept.stderr
    assert run("datasets", "delete", dataset, "--force", *there).exit_code == 0
    bare = json.loads(run("datasets", "import", "set.zip", "--unlabelled", *there, "--json").stdout)
    assert bare["counts"]["unlabelled"] == 3
    assert run("datasets", "delete", bare["id"], *there).exit_code == 0


def test_a_trainer_killed_while_images_and_labels_come_in_has_nothing_half(
    tmp_path: Path,
) -> None:
    """What was answered is there after the restart; every image that is listed can be read."""
    with services.trainer(tmp_path) as trainer:
        client = Client(NOBODY, trainer.url, retries=0)
        dataset = client.datasets.create("meters").id
        with ThreadPoolExecutor(1) as pool:
            kept = pool.submit(_label_until_it_is_gone, trainer.url, dataset)
            time.sleep(2)
            os.kill(trainer.process.pid, signal.SIGKILL)
            added, labelled = kept.result()
    assert added and labelled
    with services.trainer(tmp_path) as trainer, Client(NOBODY, trainer.url) as client:
        images = list(client.datasets.images(dataset))
        names = {one.name for one in images}
        assert names >= set(added) and len(names) == len(images)
        texts = {one.name: one.text for one in images if one.text}
        assert texts.items() >= labelled.items()
        client.datasets.export(dataset, tmp_path / "set.zip")
        with zipfile.ZipFile(tmp_path / "set.zip") as packed:
            assert len(packed.namelist()) == len(images) + 1
        assert client.datasets.add(dataset, [(name, image(name)) for name in added]).added == 0


def _label_until_it_is_gone(url: str, dataset: str) -> tuple[list[str], dict[str, str]]:
    """Add images and label each; return what the trainer has said is done."""
    added: list[str] = []
    labelled: dict[str, str] = {}
    with Client(NOBODY, url, retries=0) as client:
        while True:
            name = f"{len(added)}.png"
            try:
                client.datasets.add(dataset, [(name, image(name))])
                added.append(name)
                [one] = [o for o in client.datasets.images(dataset) if o.name == name]
                change = {"id": one.id, "version": 0, "state": "confirmed", "text": name}
                client.datasets.label(dataset, [change])
                labelled[name] = name
            except ServiceError:
                return added, labelled
