"""What the trainer's API counts while it answers."""

from fastapi.testclient import TestClient

from tests.support.api.metrics import labels_of, sample
from trainer.api.app import create_app
from trainer.settings import Settings

NAME = "readsmith_trainer_requests_total"


def test_requests_are_counted_by_method_route_and_status(settings: Settings) -> None:
    with TestClient(create_app(settings)) as api:
        api.get("/jobs")
        api.put("/jobs")
        api.get("/nowhere")
        page = api.get("/metrics").text
    assert sample(page, NAME, method="GET", route="/jobs", status="200") == 1
    assert sample(page, NAME, method="PUT", route="/jobs", status="405") == 1
    assert sample(page, NAME, method="other", route="other", status="404") == 1


def test_invented_methods_and_paths_make_no_series(settings: Settings) -> None:
    with TestClient(create_app(settings)) as api:
        for number in range(100):
            for path in ("/jobs", f"/jobs/{number}", f"/files/{number}", f"/nowhere{number}", "/"):
                api.request(f"INVENTED{number}", path)
        page = api.get("/metrics").text
    assert {each["method"] for each in labels_of(page, NAME)} == {"other"}
    assert sample(page, NAME, method="other", route="/jobs", status="405") == 100
    assert len(page) < 50_000
