import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import BundleError
from shared.store.manifest import MANIFEST, Manifest, read_manifest, verify_files
from shared.store.store import ModelStore
from tests.support.models.bundles import publish


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = ModelStore(tmp_path / "models")
    return store.folder("default", publish(store, tmp_path / "build").version)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / MANIFEST).read_text())
    change(document)
    (folder / MANIFEST).write_text(json.dumps(document))


def test_a_manifest_is_read_as_it_was_written(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    verify_files(folder, manifest.files)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d.update(format=3), "format than 1 and 2"),
        (lambda d: d.update(format=1, surprise=1), "surprise is not a field of format 1"),
        (lambda d: d.update(requires=["smell"]), "requires smell, which this release"),
        (lambda d: d.pop("vocabulary"), "vocabulary"),
        (lambda d: d.update(version="1"), "version"),
        (lambda d: d["image"].update(resize="crop"), "image.resize"),
        (lambda d: d.update(blank_index=2), "blank_index is 2"),
        (lambda d: d["files"].pop("prediction_model.onnx"), "prediction_model.onnx"),
        (lambda d: d["files"].update({"../../x": {"size": 0, "sha256": "0" * 64}}), "outside"),
        (lambda d: d["files"].update({"/etc/x": {"size": 0, "sha256": "0" * 64}}), "outside"),
        (lambda d: d.update(vocabulary=["a", "a", "b"]), "every character once"),
    ],
)
def test_a_manifest_that_breaks_the_contract_is_refused_by_name(
    folder: Path, change: Callable[[dict[str, Any]], object], named: str
) -> None:
    rewrite(folder, change)
    with pytest.raises(BundleError, match=named):
        read_manifest(folder)


def test_a_field_of_a_later_release_is_ignored(folder: Path) -> None:
    manifest = read_manifest(folder)
    rewrite(folder, lambda document: document.update(surprise=1))
    assert read_manifest(folder) == manifest


def test_a_missing_manifest_and_one_that_is_no_json_are_refused(folder: Path) -> None:
    (folder / MANIFEST).write_bytes(b"{half")
    with pytest.raises(BundleError, match="not valid"):
        read_manifest(folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        read_manifest(folder)


def test_one_flipped_bit_a_shorter_file_and_a_missing_file_are_found(folder: Path) -> None:
    files = read_manifest(folder).files
    for name in files:
        good = (folder / name).read_bytes()
        flipped = bytes([good[0] ^ 1]) + good[1:]
        (folder / name).write_bytes(flipped)
        with pytest.raises(BundleError, match=f"{name} does not have the SHA-256"):
            verify_files(folder, files)
        (folder / name).write_bytes(good[:-1])
        with pytest.raises(BundleError, match=f"{name} has {len(good) - 1} bytes"):
            verify_files(folder, files)
        (folder / name).unlink()
        with pytest.raises(BundleError, match=f"{name} cannot be read"):
            verify_files(folder, files)
        (folder / name).write_bytes(good)
    verify_files(folder, files)
