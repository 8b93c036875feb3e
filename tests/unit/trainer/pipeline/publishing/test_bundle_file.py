"""A version as one file: it comes back as it was, and nothing else gets in."""

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import BundleError, ConflictError, ModelFileError
from shared.store.builtin import builtin_store
from shared.store.bundles.model_card import CARD, CARD_JSON
from shared.store.manifest import verify_bundle
from shared.store.store import ModelStore
from tests.support.commands import Run, run  # noqa: F401 - a fixture
from tests.support.models.bundles import publish
from trainer.pipeline.publishing.bundle_file import SUMS, import_bundle_file, write_bundle_file

STARTER = "starter-small"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version with a real network as one file."""
    target = tmp_path_factory.mktemp("exported") / "small.zip"
    write_bundle_file(builtin_store(), STARTER, 1, target)
    return target


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def rewritten(file: Path, target: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """Return a copy of the file with other entries."""
    with zipfile.ZipFile(file) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return target


def test_a_version_comes_back_with_every_byte_of_its_networks_and_images(
    file: Path, store: ModelStore
) -> None:
    publish(store, store.root.parent / "build", model="mine")
    original = builtin_store().manifest(STARTER, 1)

    manifest = import_bundle_file(file, store, "mine")

    assert (manifest.model, manifest.version, store.current("mine")) == ("mine", 2, 2)
    assert manifest == store.manifest("mine", 2)
    own = {"model", "version", "job_id", "files", "comparison"}
    assert manifest.model_dump(exclude=own) == original.model_dump(exclude=own)
    for name in original.files.keys() - set(CARD):
        assert manifest.files[name] == original.files[name]
    verify_bundle(store.folder("mine", 2), manifest.files)
    card = json.loads((store.folder("mine", 2) / CARD_JSON).read_text("utf-8"))
    assert (card["model"], card["version"]) == ("mine", 2)


def test_sha256sum_checks_the_unpacked_file(file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path)
        assert archive.namelist()[0] == SUMS
    command = ["sha256sum", "--check", "--quiet", SUMS]
    checked = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)

    assert checked.returncode == 0, checked.stderr
    listed = {line.split("  ")[1] for line in (tmp_path / SUMS).read_text().splitlines()}
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert listed == there - {SUMS}


def _edit(entries: dict[str, bytes], **change: Any) -> None:
    document = json.loads(entries["manifest.json"]) | change
    entries["manifest.json"] = json.dumps(document).encode()


def _other_name(entries: dict[str, bytes]) -> None:
    """Change the manifest, but not its length: its hash alone can tell."""
    data = entries["manifest.json"]
    entries["manifest.json"] = data.replace(b'"starter-small"', b'"starter-smell"')


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda e: e.update({"golden/0001.png": e["golden/0002.png"]}), "golden/0001.png"),
        (lambda e: e.pop("golden/0001.png"), "golden/0001.png"),
        (lambda e: e.update({"more.py": b"1"}), "more.py"),
        (lambda e: e.update({SUMS: e[SUMS].replace(b"0", b"1")}), SUMS),
        (_other_name, "SHA256SUMS has other hashes"),
        (lambda e: _edit(e, version=0), "not valid at version"),
        (lambda e: _edit(e, format=3), "another format"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_refused(
    file: Path,
    tmp_path: Path,
    store: ModelStore,
    change: Callable[[dict[str, bytes]], object],
    named: str,
) -> None:
    changed = rewritten(file, tmp_path / "changed.zip", change)

    with pytest.raises(BundleError, match=named):
        import_bundle_file(changed, store, "mine")
    assert store.models() == []


def test_a_file_with_an_entry_twice_is_refused(
    file: Path, tmp_path: Path, store: ModelStore
) -> None:
    twice = tmp_path / "twice.zip"
    shutil.copy(file, twice)
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("manifest.json", archive.read("manifest.json"))

    with pytest.raises(BundleError, match="twice"):
        import_bundle_file(twice, store, "mine")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_bundle_is_told_so(tmp_path: Path, store: ModelStore, data: bytes) -> None:
    (tmp_path / "any.zip").write_bytes(data)

    with pytest.raises(ModelFileError, match=r"any\.zip is not the file of a bundle"):
        import_bundle_file(tmp_path / "any.zip", store, None)


def test_a_zip_of_images_is_no_bundle(tmp_path: Path, store: ModelStore) -> None:
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("a.png", b"1")

    with pytest.raises(ModelFileError, match=r"it holds no manifest\.json"):
        import_bundle_file(tmp_path / "images.zip", store, None)


def test_a_name_of_the_package_is_refused(file: Path, store: ModelStore) -> None:
    with pytest.raises(ModelFileError, match="this one is of the model in the package"):
        import_bundle_file(file, store, None)


def test_a_network_that_keras_must_not_open_is_refused(tmp_path: Path, store: ModelStore) -> None:
    publish(store, tmp_path / "build")  # its h5 is none
    write_bundle_file(store, "default", 1, tmp_path / "stripes.zip")

    with pytest.raises(ModelFileError) as refused:
        import_bundle_file(tmp_path / "stripes.zip", store, "other")
    assert refused.value.code == "model_unreadable"
    assert store.models() == ["default"]


def test_a_damaged_version_is_not_exported(tmp_path: Path, store: ModelStore) -> None:
    publish(store, tmp_path / "build")
    (store.folder("default", 1) / "golden/0001.png").write_bytes(b"other")

    with pytest.raises(BundleError, match=r"golden/0001\.png"):
        write_bundle_file(store, "default", 1, tmp_path / "damaged.zip")
    assert list(tmp_path.glob("*.zip")) == []


def test_a_file_that_is_there_is_not_overwritten(file: Path) -> None:
    with pytest.raises(ConflictError, match="exists already"):
        write_bundle_file(builtin_store(), STARTER, 1, file)


def test_the_commands_move_a_version(run: Run, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    exported = run("models", "export", STARTER, "out/small.zip", "--to", "bundle", "--json")
    told = json.loads(exported.stdout)
    imported = run("models", "import", "out/small.zip", "--model", "mine", "--json")

    assert (told["model"], told["version"], len(told["sha256"])) == (STARTER, 1, 64)
    assert json.loads(imported.stdout)["model"] == "mine"
    read = tmp_path / "var/models/mine/versions/1/golden/0001.png"
    assert json.loads(run("predict", read, "--json").stdout)["results"][0]["text"]
    missing = run("models", "export", "mine", "x.zip", "--to", "bundle", "--version", "7")
    assert (missing.exit_code, "has no version 7" in missing.stderr) == (1, True)
