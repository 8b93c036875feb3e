"""What `readsmith doctor` checks of folders, published models and the clock."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from readsmith.commands.doctor.finding import Finding, ok, problem, warning
from readsmith.services.processes import FREE_BYTES, existing_part
from readsmith.stores import open_store
from shared.errors import BundleError, ReadsmithError
from shared.store.builtin import STARTERS, builtin_store
from shared.store.location import is_object_storage
from shared.store.store import ModelStore

PLENTY_BYTES = 5_000_000_000
"""With less free room than this the disk should be looked after."""
PATIENCE = timedelta(minutes=5)
"""Clocks of several machines may differ by so much."""


def store(place: str) -> Iterator[Finding]:
    """Check rights, locks and room where models are stored, or that an object storage answers."""
    if not is_object_storage(place):
        yield _folder("store", Path(place))
    elif complaint := open_store(place).problem():
        yield problem("store", complaint, "docs/how-to/object-storage.md says what it must grant.")
    else:
        yield ok("store", f"{place} answers, and holds to conditions")


def state(folder: Path) -> Iterator[Finding]:
    """Check rights, locks and room where jobs are stored."""
    yield _folder("state", folder)


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
    """Read with ONNX Runtime and the models that come with Readsmith."""
    complaints = [_complaint(builtin_store(), model) for model in STARTERS.values()]
    if any(complaints):
        yield problem(
            "starter",
            " ".join(filter(None, complaints)),
            "Reinstall Readsmith: the package is damaged.",
        )
    else:
        yield ok("starter", "ONNX Runtime reads its images as it should")


def models(place: str) -> Iterator[Finding]:
    """Verify the served version of every model by its hashes and its golden images."""
    published = open_store(place)
    names = published.models()
    if not names:
        yield ok("models", f"None in {place} yet; the starter answers")
        return
    for name in names:
        if complaint := _complaint(published, name):
            advice = f"readsmith models rollback {name} --store {place}, or train it again."
            yield problem("models", f"{name}: {complaint}", advice)
        elif (current := published.current(name)) is None:
            advice = f"readsmith models promote {name} VERSION --store {place}"
            yield warning("models", f"{name}: no version is served", advice)
        else:
            yield ok("models", f"{name}: version {current} is whole and reads as it should")


def _complaint(store: ModelStore, model: str) -> str:
    """Say what is wrong with a model's served version, by loading it in a process of its own."""
    from predictor.models.loading import verified
    from predictor.models.probe import probe

    try:
        current = store.current(model)
        if current is not None:
            probe(*verified(store, model, current), threads=1)
    except ReadsmithError as error:
        return error.message
    return ""


def clock(place: str) -> Iterator[Finding]:
    """Compare the clock with when this package and the newest version were written."""
    known = [datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC), *_published(place)]
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


def _published(place: str) -> Iterator[datetime]:
    store = open_store(place)
    for model in store.models():
        for version in store.versions(model):
            try:
                yield store.manifest(model, version).created_at
            except BundleError:
                continue  # another check tells of it
