"""`readsmith label`: the labelling page for a folder, and the services where none run."""

import os
import re
import signal
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from readsmith.options import options
from readsmith.output import err, out, print_json, say

if TYPE_CHECKING:
    from readsmith.client import Client
    from readsmith.services.processes import LocalServices
    from shared.api.labelling import AddedImages, LivingDataset
    from trainer.pipeline.datasets.sources.source import ImageSource

LISTED = 1000
PREDICTOR_PORT = 8080
NO_NAME = "images"


def _dataset_name(name: str | None) -> str | None:
    return name and options.model_name(name)


Folder = Annotated[Path, typer.Argument(help="Where the images are.", exists=True, file_okay=False)]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        help="Of the dataset, and of its model; without it, the folder's.",
        callback=_dataset_name,
    ),
]


def label(
    context: typer.Context,
    folder: Folder,
    name: Name = None,
    labels: options.Labels = "auto",
    browser: Annotated[bool, typer.Option(help="Open the page.")] = True,
    url: options.TrainerUrl = "",
    store: options.Store = options.STORE,
    state: options.State = options.STATE,
    logs: options.Logs = options.LOGS,
    as_json: options.Json = False,
) -> None:
    """Label the images of a folder in the browser; texts are proposed.

    Starts the services if none answer, until Ctrl-C. The next call goes on where this one ended,
    with the images that have arrived since. Labels in the folder are taken over; file names are
    none unless --labels filename says so.

    Example: readsmith label .
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    source = context.get_parameter_source("url")
    is_named = source is not None and source.name != "DEFAULT"
    with _services(url, store, state, logs, is_named=is_named) as services:
        dataset = _dataset(_trainer(url), folder, name or _name_of(folder), labels)
        with suppress(KeyboardInterrupt):  # from here on Ctrl-C is how it ends
            _show(dataset, f"{url.rstrip('/')}/#/label/{dataset.id}", browser, as_json=as_json)
            if services is not None:
                say(err, "Serving until Ctrl-C.")
                services.wait()


def _show(dataset: "LivingDataset", address: str, browser: bool, *, as_json: bool) -> None:
    if as_json:
        print_json({"address": address, "dataset": dataset.as_sent()})
    else:
        say(out, f"{dataset.name}: {sum(dataset.counts.values()):,} images. Label them at")
        say(out, address)
    if browser and _has_screen():
        webbrowser.open(address)


@contextmanager
def _services(
    url: str, store: str, state: Path, logs: Path, *, is_named: bool
) -> "Iterator[LocalServices | None]":
    """Run trainer and predictor meanwhile, unless a trainer is named, or answers."""
    from readsmith.client.connection import ServiceConnection
    from readsmith.services.processes import Address, LocalServices, environment_of, require_rooms

    if is_named or ServiceConnection(url, retries=0).answers():
        yield None
        return
    require_rooms(state, store)
    port = int(os.environ.get("READSMITH_PREDICTOR_PORT") or PREDICTOR_PORT)
    predictor = Address("predictor", "127.0.0.1", port)
    trainer = Address("trainer", "127.0.0.1", urlsplit(url).port or 80)
    environment = environment_of(trainer, predictor, store, state)
    with LocalServices(environment, logs, partial(say, err)) as services:
        say(err, "Starting trainer and predictor")
        services.wait_until_ready(trainer.url, predictor.url)
        yield services


def _dataset(trainer: "Client", folder: Path, name: str, labels: str) -> "LivingDataset":
    """Return the dataset of this name with all images of the folder: a new one, or it goes on."""
    from readsmith.options.job_request import labels_request
    from shared.api.labelling import LivingDataset
    from trainer.pipeline.datasets.sources.source import open_source

    source = open_source(folder)
    known = (each for each in trainer.datasets.list(LISTED) if isinstance(each, LivingDataset))
    dataset = next((each for each in known if each.name == name), None)
    if dataset is None and _has_labels(source, labels):
        upload = trainer.upload(folder)
        made = trainer.datasets.create(name, upload=upload, labels=labels_request(labels))
        trainer.datasets.delete(upload)
        for each in made.rejected:
            say(err, f"{each.name} is left out. {each.message}")
        return made
    dataset = dataset or trainer.datasets.create(name)
    _tell(trainer.datasets.add(dataset.id, _images(source)))
    found = trainer.datasets.get(dataset.id)
    return found if isinstance(found, LivingDataset) else dataset


def _images(source: "ImageSource") -> Iterator[tuple[str, bytes]]:
    from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError, is_image

    for name in filter(is_image, source.names()):
        try:
            yield name, source.read(name)
        except UnreadableEntryError as error:
            say(err, f"{name} {error} and is left out.")


def _has_labels(source: "ImageSource", labels: str) -> bool:
    """Return whether labels come along; file names are asked for, or none."""
    from readsmith.options.job_request import labels_request
    from shared.errors import LabelsNotFoundError
    from trainer.pipeline.datasets.labels.found import FILE_NAMES
    from trainer.pipeline.datasets.labels.labels import find_labels

    if labels != "auto":
        return True
    try:
        return find_labels(source, labels_request(labels)).source != FILE_NAMES
    except LabelsNotFoundError:
        return False


def _tell(added: "AddedImages") -> None:
    for each in added.rejected:
        say(err, f"{each.name} is left out. {each.message}")
    if added.known:
        say(err, f"Images: {added.added:,} new, {added.known:,} known.")


def _name_of(folder: Path) -> str:
    """Return a name that a model can have, too."""
    name = re.sub(r"[^a-z0-9._-]+", "-", folder.resolve().name.lower()).strip("-._")
    return name[:64] or NO_NAME


def _has_screen() -> bool:
    """Return whether a browser would have a window; one in the terminal would be in the way."""
    has_display = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return sys.platform in ("darwin", "win32") or has_display


def _trainer(url: str) -> "Client":
    from readsmith.client import Client

    return Client(trainer_url=url, retries=options.RETRIES, api_key=options.api_key())
