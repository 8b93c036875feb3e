"""A version as one file, for another store: a zip of its bundle, with the hash of every file.

SHA256SUMS comes first, so that `sha256sum -c` checks an unpacked one without Readsmith. A file from
elsewhere is untrusted: it is measured before it is unpacked, and holds what its manifest lists.
"""

import hashlib
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path

from shared.atomic_files import appearing
from shared.child_process import limit_this_process
from shared.errors import BundleError, ConflictError, DatasetError, ModelFileError
from shared.store.manifest import (
    DETECTOR_KERAS,
    KERAS_MODEL,
    MANIFEST,
    MOST_BYTES,
    FileEntry,
    Manifest,
    parse_manifest,
    read_file,
    verify_bundle,
    verify_files,
)
from shared.store.store import ModelStore
from trainer.pipeline.datasets.sources.zip_file import open_zip
from trainer.pipeline.publishing.h5_safety import require_harmless
from trainer.pipeline.publishing.import_h5 import CHECK_SECONDS, MEMORY, require_own_name
from trainer.schemas.limits import DEFAULT_LIMITS
from trainer.subprocesses import in_clean_process

SUMS = "SHA256SUMS"


def write_bundle_file(store: ModelStore, model: str, version: int, target: Path) -> str:
    """Write a version as one file, and return the file's SHA-256.

    Raises ConflictError for a target that is there, BundleError if the version is damaged.
    """
    if target.exists():
        raise ConflictError("target_exists", f"{target} exists already.", "Name another file.")
    folder, manifest = store.folder(model, version), store.manifest(model, version)
    verify_bundle(folder, manifest.files)
    data = read_file(folder, MANIFEST, "manifest")
    target.parent.mkdir(parents=True, exist_ok=True)
    with appearing(target) as part:
        # Networks hardly shrink; and what is stored as it is cannot be a bomb.
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(SUMS, _sums(data, manifest.files))
            archive.writestr(MANIFEST, data)
            for name in manifest.files:
                archive.write(folder / name, name)
        return FileEntry.of(part).sha256


def import_bundle_file(file: Path, store: ModelStore, model: str | None) -> Manifest:
    """Publish a bundle file as the next version of a model: the one in it, or another by name.

    Raises ModelFileError for a file that is no bundle or holds a network that is not allowed,
    BundleError for one whose files are not those of its manifest.
    """
    with tempfile.TemporaryDirectory() as work:
        build = Path(work)
        manifest = _unpack(file, build)
        name = require_own_name(model or manifest.model)
        networks = [
            build / each for each in (KERAS_MODEL, DETECTOR_KERAS) if each in manifest.files
        ]
        in_clean_process(_check_networks, networks)
        job_id = f"import-{uuid.uuid4().hex}"

        def numbered(version: int, files: dict[str, FileEntry]) -> Manifest:
            own = {"model": name, "version": version, "job_id": job_id, "files": files}
            # What was served beside it in the other store says nothing about this one.
            return manifest.model_copy(update={**own, "comparison": None})

        return store.publish(build, numbered, model=name, job_id=job_id)


def _unpack(file: Path, build: Path) -> Manifest:
    """Unpack all but the manifest and what is made anew; return the manifest."""
    try:
        archive = open_zip(file, DEFAULT_LIMITS)
    except DatasetError as error:
        raise _no_bundle(file, error.message) from error
    with archive:
        if MANIFEST not in archive.namelist():
            raise _no_bundle(file, f"it holds no {MANIFEST}.")
        if archive.getinfo(MANIFEST).file_size > MOST_BYTES:
            raise _no_bundle(file, f"its {MANIFEST} is too large.")
        data = archive.read(MANIFEST)
        manifest = parse_manifest(data)
        _require_listed(archive, data, manifest)
        for name in manifest.files:
            (build / name).parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, (build / name).open("wb") as copy:
                shutil.copyfileobj(source, copy)
    verify_files(build, manifest.files)
    return manifest


def _require_listed(archive: zipfile.ZipFile, data: bytes, manifest: Manifest) -> None:
    """Raise BundleError unless the file holds what its manifest and its sums say, each once."""
    sizes = {name: entry.size for name, entry in manifest.files.items()}
    sums = _sums(data, manifest.files).encode()
    expected = {**sizes, MANIFEST: len(data), SUMS: len(sums)}
    found = [(entry.filename, entry.file_size) for entry in archive.infolist()]
    if differing := set(found) ^ set(expected.items()):
        name = min(differing)[0]
        raise BundleError(f"{name[:200]} is not what {MANIFEST} lists.", "files")
    if len(found) != len(expected):
        raise BundleError("A file is in it twice.", "files")
    if archive.read(SUMS) != sums:
        raise BundleError(f"{SUMS} has other hashes than {MANIFEST}, or it has changed.", "files")


def _sums(manifest: bytes, files: Mapping[str, FileEntry]) -> str:
    """Return the lines that `sha256sum -c` reads."""
    own = f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n"
    return own + "".join(f"{entry.sha256}  {name}\n" for name, entry in sorted(files.items()))


def _check_networks(paths: list[Path]) -> None:
    """Check what Keras would open. For a clean process: HDF5 itself may fail on a hostile file."""
    limit_this_process(MEMORY, CHECK_SECONDS)
    for path in paths:
        require_harmless(path)


def _no_bundle(file: Path, why: str) -> ModelFileError:
    return ModelFileError(
        "model_unreadable",
        f"{file.name} is not the file of a bundle: {why}",
        "Give one that `readsmith models export MODEL FILE --to bundle` wrote; an h5 of Keras "
        "needs --vocabulary.",
    )
