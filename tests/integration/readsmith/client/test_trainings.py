"""The client's jobs, events, uploads and versions, by a real trainer."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from readsmith.client import Client, ServiceError
from shared.store.store import ModelStore
from tests.support.commands import Run
from tests.support.jobs.listed import as_listed
from tests.support.labelled_images import labelled_zip
from tests.support.models.bundles import png, publish
from tests.support.services import services

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trainer")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with services.trainer(folder) as trainer:
        yield trainer.url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(NOBODY, url) as client:
        yield client


def kept(folder: Path, dataset: str) -> Path:
    """Return the zip that the trainer keeps under this id."""
    return folder / f"state/uploads/{dataset}.zip"


def test_a_zip_and_a_folder_arrive_as_they_are(
    client: Client, folder: Path, images: Path, tmp_path: Path
) -> None:
    packed = labelled_zip(tmp_path / "set.zip", ["A", "B"])

    assert kept(folder, client.upload(packed)).read_bytes() == packed.read_bytes()
    with zipfile.ZipFile(kept(folder, client.upload(images))) as archive:
        assert archive.read("ab.png") == png("ab")


def test_a_dataset_is_deleted_once(client: Client, folder: Path, tmp_path: Path) -> None:
    dataset = client.upload(labelled_zip(tmp_path / "set.zip", ["A", "B"]))

    client.delete_dataset(dataset)

    assert not kept(folder, dataset).exists()
    with pytest.raises(ServiceError) as raised:
        client.delete_dataset(dataset)
    assert (raised.value.code, raised.value.status) == ("dataset_not_found", 404)


def test_what_is_no_zip_is_refused_in_the_trainers_words(client: Client, tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_text("no zip")

    with pytest.raises(ServiceError) as raised:
        client.upload(tmp_path / "set.zip")

    assert (raised.value.code, raised.value.status) == ("dataset_not_a_zip", 422)


def test_a_job_is_started_found_listed_and_cancelled(client: Client) -> None:
    job = client.start_job({"model": "captcha", "hyperparameters": {"epochs": 3}})

    assert (job.status, job.model, job.is_final) == ("queued", "captcha", False)
    assert job.request["hyperparameters"]["epochs"] == 3
    assert client.job(job.id) == job
    assert [each.as_sent() for each in client.jobs(limit=1)] == [as_listed(job.as_sent())]
    assert client.cancel(job.id).status == "cancelled"
    assert client.job(job.id).is_final


def test_the_command_jobs_shows_lists_and_cancels_a_job(client: Client, run: Run, url: str) -> None:
    job = client.start_job({"model": "plates"})

    listed = run("jobs", "list", "--url", url, "--limit", 1)
    shown = run("jobs", "show", job.id, "--url", url, "--json")
    cancelled = run("jobs", "cancel", job.id, "--url", url, "--json")
    again = run("jobs", "cancel", job.id, "--url", url)

    assert "plates" in listed.stdout
    assert "queued" in listed.stdout
    assert json.loads(shown.stdout) == job.as_sent()
    assert json.loads(cancelled.stdout)["status"] == "cancelled"
    assert again.exit_code == 1
    assert again.stderr.startswith("Error: ")


def test_a_job_that_does_not_train_cannot_be_finished(client: Client, run: Run, url: str) -> None:
    job = client.start_job()

    with pytest.raises(ServiceError) as raised:
        client.finish(job.id)
    asked = run("jobs", "finish", job.id, "--url", url)
    client.cancel(job.id)

    assert (raised.value.code, raised.value.status) == ("job_not_training", 409)
    assert asked.exit_code == 1
    assert "so its training cannot be finished" in asked.stderr


def test_one_key_makes_one_job_and_without_one_each_is_new(client: Client) -> None:
    first = client.start_job(idempotency_key="mine")

    assert client.start_job(idempotency_key="mine") == first
    assert client.start_job().id != client.start_job().id


def test_a_wrong_field_is_named(client: Client) -> None:
    with pytest.raises(ServiceError) as raised:
        client.start_job({"preset": "crn"})

    assert (raised.value.code, raised.value.status) == ("request_invalid", 422)
    assert raised.value.field == "preset"
    assert "'conv'" in raised.value.hint


def test_events_are_followed_until_the_job_ends(client: Client) -> None:
    job = client.start_job()
    events = client.events(job.id)

    first = next(events)
    client.cancel(job.id)
    rest = list(events)

    assert first.data["status"] == "queued"
    assert [event.data["status"] for event in rest] == ["cancelled"]
    assert client.past_events(job.id) == [first, *rest]
    assert client.past_events(job.id, after=first.id) == rest
    assert list(client.events(job.id, after=rest[-1].id)) == []


def test_events_go_on_where_they_were_when_the_trainer_comes_back(tmp_path: Path) -> None:
    with services.trainer(tmp_path) as trainer:
        client = Client(NOBODY, trainer.url, retries=20)
        job = client.start_job()
        events = client.events(job.id)
        first = next(events)
    with services.trainer(tmp_path, trainer.port):
        client.cancel(job.id)

        rest = list(events)

    assert [event.data["status"] for event in (first, *rest)] == ["queued", "cancelled"]


def test_events_of_an_unknown_job_are_an_error(client: Client) -> None:
    with pytest.raises(ServiceError) as raised:
        next(client.events("job-0"))

    assert (raised.value.code, raised.value.status) == ("job_not_found", 404)


def test_a_version_is_promoted_rolled_back_and_given_a_pattern(
    client: Client, folder: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        publish(ModelStore(folder / "models"), tmp_path / "build", model="stripes")

    assert client.model("stripes").current == 2
    assert client.promote("stripes", 1).current == 1
    assert client.promote("stripes", 1).previous == 2
    assert client.rollback("stripes").current == 2
    assert client.pattern("stripes", "[abc]{2}").pattern == "[abc]{2}"
    assert client.allow("stripes", ["ab", "ca"], threshold=0.4).allowed_texts == 2
    assert client.allowed("stripes").texts == ("ab", "ca")
    assert client.allow("stripes", None).allowed_texts is None
    model = client.pattern("stripes", None)
    assert model.pattern is None
    assert [version.version for version in model.versions] == [1, 2]
    assert model.versions[0].metrics is not None
    assert model.versions[0].metrics.exact_match == 1.0


def test_a_name_cannot_lead_to_another_route(client: Client) -> None:
    with pytest.raises(ServiceError) as raised:
        client.model("../jobs")

    assert raised.value.status in (404, 422)
