"""Processes that publish, are killed, change what is served, and look on."""

import os
import signal
import time
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from shared.errors import BundleError, ReadsmithError
from shared.store.manifest import verify_bundle
from shared.store.objects.connection import StorageConnection
from shared.store.records.record import ModelSettings
from shared.store.settings import StoreSettings
from shared.store.store import ModelStore
from tests.support.models.bundles import publish

SPAWN = get_context("spawn")


def opened(place: Path | str, keep: int = 5) -> ModelStore:
    """Open a folder, or an object storage with a cache in this process's own folder."""
    cache = Path(os.environ.get("TEST_STORE_CACHE", "no-cache")) / str(os.getpid())
    return StoreSettings(store=place, store_cache=cache).model_store(keep)


def publish_often(place: Path | str, build: Path, name: str, count: int, keep: int = 5) -> None:
    """Publish so many versions, each a job of its own, and write their numbers to a file."""
    store = opened(place, keep)
    numbers = [publish(store, build, job_id=f"{name}-{n}").version for n in range(count)]
    build.with_suffix(".numbers").write_text(" ".join(map(str, numbers)))


def published_numbers(*builds: Path) -> list[int]:
    """Return the numbers that finished publishers were given, sorted."""
    texts = [build.with_suffix(".numbers").read_text() for build in builds]
    return sorted(int(number) for text in texts for number in text.split())


def publish_and_die(root: Path, build: Path, name: str, survived: int) -> None:
    """Publish, and be killed when the file after so many others is about to appear."""
    renames = 0
    replace = Path.replace

    def replace_or_die(self: Path, target: Path) -> Path:
        nonlocal renames
        if renames == survived:
            os.kill(os.getpid(), signal.SIGKILL)
        renames += 1
        return replace(self, target)

    Path.replace = replace_or_die  # type: ignore[assignment, method-assign]
    publish(ModelStore(root), build, characters="xyz", job_id=name)


def publish_to_storage_and_die(place: str, build: Path, name: str, survived: int) -> None:
    """Publish, and be killed before the storage is asked once more than so many times."""
    asked = 0
    run = StorageConnection.run

    def run_or_die(self: StorageConnection, *args: Any) -> Any:
        nonlocal asked
        if asked == survived:
            os.kill(os.getpid(), signal.SIGKILL)
        asked += 1
        return run(self, *args)

    StorageConnection.run = run_or_die  # type: ignore[assignment, method-assign]
    publish(opened(place), build, job_id=name)


def watch(place: Path | str, done: Event, report: Path) -> None:
    """Look at the store until told to stop; write how often, and every half thing seen."""
    store, looks, faults = opened(place), 0, list[str]()
    while not done.is_set():
        looks += 1
        faults += look(store)
    report.write_text("\n".join([str(looks), *faults]))


def look(store: ModelStore, model: str = "default") -> list[str]:
    """Return what is half: a listed version, or the current one. Empty if all is whole."""
    faults = []
    for version in store.versions(model):
        fault = broken(store, model, version)
        if fault and version in store.versions(model):  # it may have been removed meanwhile
            faults.append(f"version {version} is listed, but {fault}")
    try:
        served = store.current(model)
    except BundleError as error:
        return [*faults, str(error)]
    if served is not None:
        fault = broken(store, model, served)
        if fault and store.current(model) == served:
            faults.append(f"version {served} is current, but {fault}")
    return faults


def broken(store: ModelStore, model: str, version: int) -> str | None:
    """Return what is wrong with a version."""
    try:
        verify_bundle(store.folder(model, version), store.manifest(model, version).files)
    except BundleError as error:
        return str(error)
    return None


@dataclass
class Watcher:
    """A process that looks at the store as long as the block lasts; afterwards, what it saw."""

    place: Path | str
    report: Path
    looks: int = 0
    faults: list[str] = field(default_factory=list)

    def __enter__(self) -> "Watcher":
        self._done = SPAWN.Event()
        self._process = started(watch, self.place, self._done, self.report)
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._process.join()
        looks, *self.faults = self.report.read_text().splitlines()
        self.looks = int(looks)


def roll_back_often(place: Path | str, count: int, report: Path) -> None:
    """Roll back so many times; write how often there was a way back."""
    store, went_back = opened(place, keep=1000), 0
    for _ in range(count):
        try:
            store.rollback("default")
            went_back += 1
        except ReadsmithError as error:
            assert error.code == "no_earlier_version"
        time.sleep(0.01)
    report.write_text(str(went_back))


def change_pattern_often(place: Path | str, count: int) -> None:
    """Change the model's pattern so many times."""
    for number in range(1, count + 1):
        opened(place).change_settings("default", ModelSettings(pattern=f"[a-c]{{1,{number}}}"))


def started(function: object, *args: object) -> BaseProcess:
    """Start a process that runs a function."""
    process = SPAWN.Process(target=function, args=args)  # type: ignore[arg-type]
    process.start()
    return process


def ended(*processes: BaseProcess) -> list[int | None]:
    """Wait for processes; return their exit codes."""
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def lost_changes(
    store: ModelStore, folder: Path, *, publications: int, rollbacks: int, patterns: int
) -> list[str]:
    """Change a model in four processes at once; return what was lost. Two of them publish.

    Each publication adds a step back to the history and each rollback takes one away, so their
    number tells whether one process wrote over what another had written.
    """
    builds, went_back = (folder / "a", folder / "b"), folder / "went-back"
    publish(store, folder / "first")
    store.change_settings("default", ModelSettings())
    processes = [
        *(started(publish_often, store.root, b, b.name, publications, 1000) for b in builds),
        started(roll_back_often, store.root, rollbacks, went_back),
        started(change_pattern_often, store.root, patterns),
    ]
    lost = [] if ended(*processes) == [0] * 4 else ["a process failed"]
    if published_numbers(*builds) != list(range(2, 2 * publications + 2)):
        lost.append("a number")
    record = store.record("default")
    if record.given != 2 * publications + 1:
        lost.append("the highest number")
    if len(record.before) != 2 * publications - int(went_back.read_text()):
        lost.append("a step back")
    if store.settings("default").pattern != f"[a-c]{{1,{patterns}}}":
        lost.append("a pattern")
    return lost
