"""Living datasets over HTTP, as the page for labelling and the client use them."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from shared.access.tokens import Scope
from tests.support.api.keys import bearer
from tests.support.api.problems import problem
from tests.support.labelled_images import image, write_zip
from trainer.api.app import create_app
from trainer.settings import Settings

Json = dict[str, Any]


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def dataset(api: TestClient) -> str:
    return str(made(api)["id"])


def made(api: TestClient, name: str = "meters", **more: Any) -> Json:
    answer = api.post("/datasets", json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/datasets/{answer.json()['id']}"
    created: Json = answer.json()
    return created


def add(api: TestClient, dataset: str, *texts: str) -> Json:
    files = [("image", (f"{text}.png", image(text))) for text in texts]
    answer = api.post(f"/datasets/{dataset}/images", files=files)
    assert answer.status_code == 200, answer.text
    added: Json = answer.json()
    return added


def images(api: TestClient, dataset: str, **query: Any) -> list[Json]:
    answer = api.get(f"/datasets/{dataset}/images", params=query)
    assert answer.status_code == 200, answer.text
    listed: list[Json] = answer.json()["data"]
    return listed


def change(of: Json, state: str, text: str | None = None, **more: Any) -> Json:
    return {"id": of["id"], "version": of["version"], "state": state, "text": text, **more}


def label(api: TestClient, dataset: str, *changes: Json, by: str | None = None) -> Any:
    return api.put(f"/datasets/{dataset}/labels", json={"labels": changes, "by": by})


def archive(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def upload(api: TestClient, folder: Path, entries: dict[str, bytes]) -> str:
    packed = write_zip(folder / "set.zip", entries).read_bytes()
    sent: str = api.post("/datasets", files={"file": ("set.zip", packed)}).json()["id"]
    return sent


def test_a_new_one_is_empty_and_is_listed_beside_uploads(api: TestClient, tmp_path: Path) -> None:
    first = made(api)
    assert first["version"] == 0 and first["name"] == "meters" and first["rejected"] == []
    assert set(first["counts"].values()) == {0} and first["estimate"] is None
    frozen = upload(api, tmp_path, {"AB1.png": image("AB1")})
    listed = api.get("/datasets").json()["data"]
    assert [each["id"] for each in listed] == [frozen, first["id"]]
    assert "counts" not in listed[0] and listed[0]["name"] is None
    assert listed[1] == api.get(f"/datasets/{first['id']}").json()
    rest = api.get("/datasets", params={"limit": 1, "after": frozen}).json()
    assert [each["id"] for each in rest["data"]] == [first["id"]] and not rest["has_more"]


def test_images_are_added_once_each_and_what_is_none_is_named(
    api: TestClient, dataset: str
) -> None:
    assert add(api, dataset, "AB1", "AB2") == {"added": 2, "known": 0, "rejected": []}
    files = [
        ("image", ("again.png", image("AB1"))),
        ("image", ("folder/new", image("AB3"))),
        ("image", ("notes.png", b"no image")),
    ]
    answer = api.post(f"/datasets/{dataset}/images", files=files).json()
    assert (answer["added"], answer["known"]) == (1, 1)
    [rejected] = answer["rejected"]
    assert rejected["name"] == "notes.png" and rejected["code"] == "not_an_image"
    shown = images(api, dataset)
    assert [one["name"] for one in shown] == ["AB1.png", "AB2.png", "folder/new.png"]
    assert {one["state"] for one in shown} == {"unlabelled"}
    seen = api.get(f"/datasets/{dataset}").json()
    assert seen["version"] == 2 and seen["counts"]["unlabelled"] == 3
    assert seen["bytes"] == sum(len(image(text)) for text in ("AB1", "AB2", "AB3"))
    preview = api.get(shown[0]["image"], params={"size": 40})
    assert Image.open(io.BytesIO(preview.content)).width == 40
    assert api.get(f"/datasets/{dataset}/images/{shown[0]['id']}").json() == shown[0]


def test_images_beyond_64_are_refused(api: TestClient, dataset: str) -> None:
    files = [("image", (f"{number}.png", b"x")) for number in range(65)]
    answer = api.post(f"/datasets/{dataset}/images", files=files)
    problem(answer, 413, "too_many_images")


def test_labels_are_confirmed_corrected_and_taken_back(api: TestClient, dataset: str) -> None:
    add(api, dataset, "AB1", "AB2")
    first, second = images(api, dataset)
    answer = label(
        api,
        dataset,
        change(first, "confirmed", " AB1 ", random=True),
        change(second, "unreadable"),
        by="Ada",
    )
    assert answer.status_code == 200, answer.text
    one, other = answer.json()["data"]
    assert (one["state"], one["text"], one["by"], one["random"]) == (
        "confirmed",
        "AB1",
        "Ada",
        True,
    )
    assert (other["state"], other["text"], other["version"]) == ("unreadable", None, 1)
    assert one["at"] is not None
    assert answer.json()["version"] == 2
    counts = api.get(f"/datasets/{dataset}").json()["counts"]
    assert counts == {
        "unlabelled": 0,
        "proposed": 0,
        "confirmed": 1,
        "unreadable": 1,
        "suspected": 0,
    }
    [back] = label(api, dataset, change(one, "unlabelled")).json()["data"]
    assert (back["state"], back["text"], back["by"], back["random"]) == (
        *("unlabelled", None, None),
        False,
    )
    assert [each["id"] for each in images(api, dataset, state="unreadable")] == [other["id"]]


def test_the_same_labels_twice_are_done_once(api: TestClient, dataset: str) -> None:
    add(api, dataset, "AB1")
    wanted = change(images(api, dataset)[0], "confirmed", "AB1")
    first, again = label(api, dataset, wanted), label(api, dataset, wanted, by="Bob")
    assert again.status_code == 200 and again.json() == first.json()


def test_what_somebody_else_changed_is_named_and_nothing_is_changed(
    api: TestClient, dataset: str
) -> None:
    add(api, dataset, "AB1", "AB2")
    first, second = images(api, dataset)
    label(api, dataset, change(first, "confirmed", "AB1"), by="Ada")
    answer = label(
        api,
        dataset,
        change(first, "confirmed", "A81"),
        change(second, "confirmed", "AB2"),
        by="Bob",
    )
    told = problem(answer, 409, "labels_changed")
    assert "AB1.png" in told["detail"] and "Ada" in told["detail"]
    [now] = told["images"]
    assert (now["id"], now["text"], now["by"], now["version"]) == (first["id"], "AB1", "Ada", 1)
    assert images(api, dataset)[1] == second


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"state": "confirmed", "text": None}, "labels"),
        ({"state": "unreadable", "text": "AB1"}, "labels"),
        ({"state": "suspected"}, "labels"),
        ({"state": "confirmed", "text": " "}, "labels"),
    ],
)
def test_labels_that_make_no_sense_are_refused(
    api: TestClient, dataset: str, wrong: Json, field: str
) -> None:
    add(api, dataset, "AB1")
    answer = label(api, dataset, change(images(api, dataset)[0], "unlabelled") | wrong)
    assert problem(answer, 422, "request_invalid")["field"] == field


def test_a_dozen_labels_queue_a_learning_that_no_list_of_jobs_has(
    api: TestClient, dataset: str
) -> None:
    job_id = api.post(f"/datasets/{dataset}/learn").json()["job"]
    assert api.get("/datasets").json()["data"][0]["learning"] == job_id
    assert api.get(f"/jobs/{job_id}").json()["kind"] == "learn"
    assert api.get("/jobs").json()["data"] == []
    assert api.post(f"/datasets/{dataset}/learn").json()["job"] == job_id
    assert api.post(f"/jobs/{job_id}/cancel").json()["status"] == "cancelled"
    assert api.get(f"/datasets/{dataset}").json()["learning"] is None
    add(api, dataset, *(f"A{number:02}" for number in range(12)))  # images have one learn, too
    assert api.post(f"/jobs/{learning(api, dataset)}/cancel").is_success
    *eleven, last = [
        change(one, "confirmed", f"A{number:02}") for number, one in enumerate(images(api, dataset))
    ]
    label(api, dataset, *eleven)
    assert learning(api, dataset) is None
    label(api, dataset, last)
    assert learning(api, dataset) is not None


def learning(api: TestClient, dataset: str) -> str | None:
    job_id: str | None = api.get(f"/datasets/{dataset}").json()["learning"]
    return job_id


def test_every_order_pages_through_all_images_once(api: TestClient, dataset: str) -> None:
    add(api, dataset, *(f"A{number:02}" for number in range(11)))
    for order in ("informative", "random", "confidence", "name"):
        seen: list[str] = []
        while True:
            query = {"order": order, "limit": 4} | ({"after": seen[-1]} if seen else {})
            page = api.get(f"/datasets/{dataset}/images", params=query).json()
            assert page["count"] == 11
            seen += [one["id"] for one in page["data"]]
            if not page["has_more"]:
                break
        assert len(seen) == len(set(seen)) == 11
    names = [one["name"] for one in images(api, dataset, order="random")]
    assert names != sorted(names)
    assert images(api, dataset, order="suspect") == []


def test_an_image_is_taken_out(api: TestClient, dataset: str) -> None:
    add(api, dataset, "AB1")
    [one] = images(api, dataset)
    assert api.delete(f"/datasets/{dataset}/images/{one['id']}").status_code == 204
    assert images(api, dataset) == []
    assert api.get(f"/datasets/{dataset}").json()["bytes"] == 0
    problem(api.get(one["image"]), 404, "image_not_found")
    assert add(api, dataset, "AB1")["added"] == 1
    assert images(api, dataset)[0]["id"] != one["id"]


def test_an_upload_becomes_a_living_dataset(api: TestClient, tmp_path: Path) -> None:
    entries = {f"{text}.png": image(text) for text in ("AB1", "AB2", "AB3")}
    entries |= {"broken.png": b"no image", "copy.png": image("AB1")}
    listed = b"filename,text,state\nAB1.png,AB1,\nAB2.png,,unreadable\n"
    frozen = upload(api, tmp_path, {**entries, "labels.csv": listed})
    living = made(api, "meters", **{"from": frozen})
    assert living["counts"]["confirmed"] == living["counts"]["unreadable"] == 1
    assert living["counts"]["unlabelled"] == 1 and living["version"] == 1
    assert [one["name"] for one in living["rejected"]] == ["broken.png"]
    assert [(one["name"], one["text"]) for one in images(api, living["id"])] == [
        ("AB1.png", "AB1"),
        ("AB2.png", None),
        ("AB3.png", None),
    ]
    assert api.delete(f"/datasets/{frozen}").status_code == 204
    assert api.get(images(api, living["id"])[0]["image"]).status_code == 200


def test_labels_of_an_upload_are_left_out_where_that_is_asked_for(
    api: TestClient, tmp_path: Path
) -> None:
    frozen = upload(api, tmp_path, {f"{text}.png": image(text) for text in ("AB1", "AB2")})
    assert made(api, "names", **{"from": frozen})["counts"]["confirmed"] == 2
    assert made(api, "none", labels=None, **{"from": frozen})["counts"]["unlabelled"] == 2


@pytest.mark.parametrize("kind", ["readsmith", "huggingface", "label-studio"])
def test_an_export_comes_in_again_with_the_same_states(
    api: TestClient, dataset: str, kind: str
) -> None:
    add(api, dataset, "AB1", "AB2", "AB3")
    first, second, _ = images(api, dataset)
    label(api, dataset, change(first, "confirmed", "=AB,1", random=True), by="Ada")
    label(api, dataset, change(second, "unreadable"), by="Bob")
    packed = api.get(f"/datasets/{dataset}.zip", params={"format": kind}).content
    frozen = api.post("/datasets", files={"file": ("set.zip", packed)}).json()["id"]
    again = made(api, "again", **{"from": frozen})["id"]
    kept = ("name", "state", "text", "by", "random", "at", "width")
    before, after = (
        [{k: one[k] for k in kept} for one in images(api, d)] for d in (dataset, again)
    )
    assert after == before


def test_formats_that_know_no_states_hold_the_texts(api: TestClient, dataset: str) -> None:
    add(api, dataset, "AB1", "AB2")
    label(api, dataset, change(images(api, dataset)[0], "confirmed", "AB1"))
    paddle = archive(api.get(f"/datasets/{dataset}.zip", params={"format": "paddle"}).content)
    assert paddle["rec_gt.txt"] == b"AB1.png\tAB1\n"
    beside = archive(api.get(f"/datasets/{dataset}.zip", params={"format": "gt-txt"}).content)
    assert beside.keys() == {"AB1.png", "AB1.gt.txt", "AB2.png"}
    assert beside["AB1.png"] == image("AB1")


def test_an_upload_takes_no_labels(api: TestClient, tmp_path: Path) -> None:
    frozen = upload(api, tmp_path, {"AB1.png": image("AB1")})
    files = {"image": ("a.png", image("AB1"))}
    for answer in (
        api.get(f"/datasets/{frozen}/images"),
        api.post(f"/datasets/{frozen}/images", files=files),
        api.get(f"/datasets/{frozen}.zip"),
        api.post(f"/datasets/{frozen}/learn"),
    ):
        problem(answer, 409, "dataset_frozen")
    assert api.patch(f"/datasets/{frozen}", json={"name": "old"}).json()["name"] == "old"
    shown = api.get(f"/datasets/{frozen}/images", params={"file": "AB1.png"})
    assert shown.headers["content-type"] == "image/png"


def test_a_job_trains_on_the_present_version_and_later_on_the_same(
    api: TestClient, dataset: str
) -> None:
    add(api, dataset, "AB1")
    body: Json = {"dataset": {"id": dataset}}
    headers = {"Idempotency-Key": "once"}
    job = api.post("/jobs", json=body, headers=headers).json()
    assert job["request"]["dataset"]["version"] == 1
    label(api, dataset, change(images(api, dataset)[0], "confirmed", "AB1"))
    assert api.post("/jobs", json=body, headers=headers).json()["id"] == job["id"]
    later = api.post("/jobs", json=body).json()["request"]["dataset"]["version"]
    assert later == 2
    repeated = {"dataset": {"id": dataset, "version": 1}}
    assert api.post("/jobs", json=repeated).json()["request"]["dataset"]["version"] == 1
    never = api.post("/jobs", json={"dataset": {"id": dataset, "version": 0}})
    assert problem(never, 422, "request_invalid")["field"] == "dataset.version"
    problem(api.delete(f"/datasets/{dataset}"), 409, "dataset_in_use")


def test_a_dataset_is_deleted_with_its_files_and_learnings(
    api: TestClient, dataset: str, settings: Settings
) -> None:
    add(api, dataset, "AB1")
    job_id = api.get(f"/datasets/{dataset}").json()["learning"]
    assert list((settings.state / "datasets" / dataset).rglob("*.png"))
    assert api.delete(f"/datasets/{dataset}").status_code == 204
    problem(api.get(f"/datasets/{dataset}"), 404, "dataset_not_found")
    assert not (settings.state / "datasets" / dataset).exists()
    assert api.get(f"/jobs/{job_id}").json()["status"] == "cancelled"


def test_living_datasets_never_give_way(settings: Settings, tmp_path: Path) -> None:
    size = len(image("AB1"))
    few = settings.model_copy(
        update={"max_upload_bytes": 3 * size, "max_stored_upload_bytes": 3 * size}
    )
    with TestClient(create_app(few), raise_server_exceptions=False) as api:
        upload(api, tmp_path, {"AB1.png": image("AB1")})
        dataset = made(api)["id"]
        add(api, dataset, "AB1", "AB2")
        files = {"image": ("c.png", image("AB3") + bytes(size))}
        answer = api.post(f"/datasets/{dataset}/images", files=files)
        problem(answer, 507, "datasets_full")
        packed = write_zip(tmp_path / "large.zip", {"a.png": bytes(2 * size)}).read_bytes()
        answer = api.post("/datasets", files={"file": ("set.zip", packed)})
        problem(answer, 507, "datasets_full")
        assert [each["id"] for each in api.get("/datasets").json()["data"]] == [dataset]


def test_a_key_for_labelling_sees_and_labels_and_deletes_nothing(settings: Settings) -> None:
    labels, admin, train = (
        bearer(settings.keys, scope, scope) for scope in (Scope.LABEL, Scope.ADMIN, Scope.TRAIN)
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as api:
        api.headers.update(admin)
        dataset = made(api)["id"]
        api.headers.update(labels)
        add(api, dataset, "AB1")
        [one] = images(api, dataset)
        answer = label(api, dataset, change(one, "confirmed", "AB1"), by="somebody else")
        assert answer.json()["data"][0]["by"] == "label"
        assert api.get(one["image"]).status_code == 200
        for refused in (
            api.post("/datasets", json={"name": "another"}),
            api.patch(f"/datasets/{dataset}", json={"name": "other"}),
            api.delete(f"/datasets/{dataset}/images/{one['id']}"),
            api.delete(f"/datasets/{dataset}"),
            api.get("/jobs"),
        ):
            problem(refused, 403, "scope_missing")
        problem(api.delete(f"/datasets/{dataset}", headers=train), 403, "scope_missing")
        assert api.delete(f"/datasets/{dataset}", headers=admin).status_code == 204
