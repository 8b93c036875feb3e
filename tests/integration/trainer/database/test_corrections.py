"""The corrections in the database and in their folder, also for many at once."""

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.errors import ReadsmithError
from tests.support.labelled_images import image
from trainer.database.corrections import Corrections, NewCorrection
from trainer.database.tables import Database
from trainer.files.shared_files import FolderFiles
from trainer.pipeline.datasets.labels.labels import find_labels
from trainer.pipeline.datasets.sources.source import open_source


@pytest.fixture
def kept(database: Database, tmp_path: Path) -> Corrections:
    return Corrections(database, FolderFiles(tmp_path), max_bytes=100_000)


def test_one_image_from_many_at_once_is_one_correction(kept: Corrections) -> None:
    data = image("A")

    def send(number: int) -> bool:
        return kept.save("m", data, "png", NewCorrection(text=f"A{number}"))[1]

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(send, range(8))) == 1
    assert kept.page("m", 10).count == 1


def test_an_image_that_is_sent_while_it_is_deleted_is_whole_or_gone(kept: Corrections) -> None:
    data, new = image("A"), NewCorrection(text="A")

    def send_or_delete(number: int) -> None:
        if number % 2:
            kept.save("m", data, "png", new)
        for one in kept.page("m", 10).data if not number % 2 else []:
            try:
                kept.remove("m", one.id)
            except ReadsmithError as error:
                assert error.code == "correction_not_found"

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(send_or_delete, range(40)))
    for one in kept.page("m", 10).data:
        assert kept.image("m", one.id) == data
    kept.save("m", data, "png", new)
    (one,) = kept.page("m", 10).data
    assert kept.image("m", one.id) == data


def test_an_image_that_was_lost_is_back_when_it_is_sent_again(
    kept: Corrections, tmp_path: Path
) -> None:
    one, _ = kept.save("m", image("A"), "png", NewCorrection(text="A"))
    (file,) = (tmp_path / "corrections" / "m").iterdir()
    file.unlink()
    assert [name for name, _ in kept.files("m")] == ["labels.csv"]
    kept.save("m", image("A"), "png", NewCorrection(text="A"))
    assert kept.image("m", one.id) == image("A")


def test_a_correction_that_is_a_formula_is_none_in_the_zip_and_one_again_as_a_label(
    kept: Corrections, tmp_path: Path
) -> None:
    for number, text in enumerate(("=1+1", "-5", "'=x")):
        kept.save("m", image("ABC"[number]), "png", NewCorrection(text=text))
    kept.write_zip("m", tmp_path / "set.zip")
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        rows = archive.read("labels.csv").decode().splitlines()[1:]
    assert [row.partition(",")[2] for row in rows] == ["'=1+1", "'-5", "''=x"]
    found = find_labels(open_source(tmp_path / "set.zip"), "manifest")
    assert sorted(found.labels[name] for name in found.names()) == ["'=x", "-5", "=1+1"]


def test_the_zip_for_a_job_appears_whole(kept: Corrections, tmp_path: Path) -> None:
    kept.save("m", image("A"), "png", NewCorrection(text="A"))
    kept.save("other", image("B"), "png", NewCorrection(text="B"))
    kept.write_zip("m", tmp_path / "set.zip")
    names = zipfile.ZipFile(tmp_path / "set.zip").namelist()
    assert [Path(name).suffix for name in names] == [".png", ".csv"]
    assert not (tmp_path / "set.zip.part").exists()
