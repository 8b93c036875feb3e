"""Stage 1: which copy of a dataset is used, and when it is fetched anew."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.downloads import CONTENT, Archive, failure, fetched, left_in
from tests.support.jobs.observer import Recorder
from tests.support.services.web_site import Site, serve
from trainer.schemas.job_request import DatasetRequest, Synthetic

RIGHT = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def archive() -> Archive:
    return Archive()


@pytest.fixture
def site(archive: Archive) -> Iterator[Site]:
    with serve({"/good": archive}) as site:
        yield site


def test_a_cached_download_is_used_as_long_as_its_server_says_that_it_is_right(
    site: Site, archive: Archive, tmp_path: Path
) -> None:
    dataset = DatasetRequest(url=f"{site.url}/good")
    first = fetched(dataset, tmp_path)
    observer = Recorder()
    assert fetched(dataset, tmp_path, observer) == first
    assert observer.events[0][0] == "cached"
    assert [headers["If-None-Match"] for headers in site.headers] == [None, '"1"']

    archive.content, archive.etag = b"new", '"2"'
    assert fetched(dataset, tmp_path).read_bytes() == b"new"
    assert first.read_bytes() == CONTENT  # another job may be reading it


def test_a_cached_download_is_used_with_a_warning_while_its_server_is_away(
    archive: Archive, tmp_path: Path
) -> None:
    with serve({"/good": archive}) as site:
        first = fetched(DatasetRequest(url=f"{site.url}/good"), tmp_path)
    observer = Recorder()
    assert fetched(DatasetRequest(url=f"{site.url}/good"), tmp_path, observer) == first
    assert [kind for kind, _ in observer.events] == ["warning", "cached"]


def test_the_hash_of_the_download_is_checked(site: Site, tmp_path: Path) -> None:
    error = failure(DatasetRequest(url=f"{site.url}/good", sha256="0" * 64), tmp_path)
    assert error.code == "sha256_differs"
    assert RIGHT in error.message
    assert left_in(tmp_path) == []


def test_a_cached_download_of_the_right_hash_needs_no_server(site: Site, tmp_path: Path) -> None:
    first = fetched(DatasetRequest(url=f"{site.url}/good"), tmp_path)
    assert fetched(DatasetRequest(url=f"{site.url}/elsewhere", sha256=RIGHT), tmp_path) == first
    assert site.hits == ["/good"]


def test_a_cached_download_of_another_hash_is_never_used(
    site: Site, archive: Archive, tmp_path: Path
) -> None:
    fetched(DatasetRequest(url=f"{site.url}/good"), tmp_path)
    archive.content = b"new"  # and the ETag is still the same
    digest = hashlib.sha256(b"new").hexdigest()
    assert (
        fetched(DatasetRequest(url=f"{site.url}/good", sha256=digest), tmp_path).read_bytes()
        == b"new"
    )


def test_an_unknown_upload_is_an_error(tmp_path: Path) -> None:
    error = failure(DatasetRequest(id=f"dataset-{'0' * 32}"), tmp_path)
    assert error.code == "dataset_not_found"


def test_a_synthetic_set_is_the_same_for_the_same_parameters(tmp_path: Path) -> None:
    drawn = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        dataset = DatasetRequest(synthetic=Synthetic(images=12, seed=seed))
        drawn[name] = fetched(dataset, tmp_path / name).read_bytes()
        with zipfile.ZipFile(io.BytesIO(drawn[name])) as archive:
            assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
    assert drawn["a"] == drawn["b"] != drawn["c"]
