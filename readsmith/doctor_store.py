"""What `readsmith doctor` checks of folders, published models and the clock."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from readsmith.finding import Finding, ok, problem, warning
from readsmith.services import FREE_BYTES, existing_part
from shared.builtin import STARTER, builtin_store
from shared.errors import ReadsmithError
from shared.manifest import BundleError
from shared.model_store import ModelStore

PLENTY_BYTES = 5_000_000_000
"""With less free room than this the disk should be looked after."""
PATIENCE = timedelta(minutes=5)
"""Clocks of several machines may differ by so much."""


def folders(store: Path, state: Path) -> Iterator[Finding]:
    """Check rights, locks and room where models and jobs are kept."""
    yield _folder("store", store)
    yield _folder("state", state)


def _folder(name: str, folder: Path) -> Finding:
    existing = existing_part(folder)
    another = f"or choose another folder with --{name} or READSMITH_{name.upper()}."
    try:
        with tempfile.TemporaryFile(dir=existing) as probe:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        message = f"Nothing can be written and locked in {existing}: {error.strerror}"
        return problem(name, message, f"Give this user the right to, {another}")
    free = shutil.disk_usage(existing).free
    room = f"{folder}: {free / 1e9:.1f} GB free"
    if free < FREE_BYTES:
        return problem(name, f"{room}, at least 1 GB is needed", f"Make room, {another}")
    if free < PLENTY_BYTES:
        return warning(name, room, f"Make room soon, {another}")
    return ok(name, room)


def starter() -> Iterator[Finding]:
    """Read with ONNX Runtime and the model that comes with Readsmith."""
    complaint = _complaints(builtin_store().root, (STARTER,))[STARTER]
    if complaint:
        yield problem("starter", complaint, "Install Readsmith anew: the package is damaged.")
    else:
        yield ok("starter", "ONNX Runtime reads its pictures as it should")


def models(store: Path) -> Iterator[Finding]:
    """Verify the served version of every model by its hashes and its golden pictures."""
    names = ModelStore(store).models()
    if not names:
        yield ok("models", f"None in {store} yet; the starter answers")
        return
    for name, complaint in _complaints(store, names).items():
        if complaint:
            advice = f"readsmith models rollback {name} --store {store}, or train it again."
            yield problem("models", f"{name}: {complaint}", advice)
        elif (current := ModelStore(store).current(name)) is None:
            advice = f"readsmith models promote {name} VERSION --store {store}"
            yield warning("models", f"{name}: no version is served", advice)
        else:
            yield ok("models", f"{name}: version {current} is whole and reads as it should")


def _complaints(store: Path, models: tuple[str, ...] | list[str]) -> dict[str, str]:
    """Say what is wrong with each model; a child reads, for a damaged one could end it."""
    from trainer.clean_process import in_clean_process

    return in_clean_process(_look, store, models)


def _look(root: Path, models: tuple[str, ...] | list[str]) -> dict[str, str]:
    return {model: _complaint(ModelStore(root), model) for model in models}


def _complaint(store: ModelStore, model: str) -> str:
    from predictor.loading import load_version

    try:
        current = store.current(model)
        if current is not None:
            load_version(store, model, current, threads=1)
    except ReadsmithError as error:
        return error.message
    return ""


def clock(store: Path) -> Iterator[Finding]:
    """Compare the clock with when this package and the newest version were written."""
    known = [datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC), *_published(store)]
    now, newest = datetime.now(UTC), max(known)
    shown = f"{now:%Y-%m-%d %H:%M} UTC"
    if now + PATIENCE < newest:
        yield problem(
            "clock",
            f"{shown}, but something here was written at {newest:%Y-%m-%d %H:%M} UTC",
            "Set the clock (timedatectl set-ntp true): the expiry of keys and jobs rest on it.",
        )
    else:
        yield ok("clock", shown)


def _published(root: Path) -> Iterator[datetime]:
    store = ModelStore(root)
    for model in store.models():
        for version in store.versions(model):
            try:
                yield store.manifest(model, version).created_at
            except BundleError:
                continue  # another check tells of it
