"""Feedback by the client: through a real predictor to a real trainer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from readsmith.client import Client, ServiceError
from shared.store.store import ModelStore
from tests.support.models.bundles import png, publish
from tests.support.services import services


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of a predictor that keeps images, and of its trainer."""
    folder = tmp_path_factory.mktemp("feedback")
    store = ModelStore(folder / "models")
    publish(store, folder / "build", model="stripes")
    with (
        services.trainer(folder) as trainer,
        services.predictor(
            folder,
            READSMITH_TRAINER_URL=trainer.url,
            READSMITH_IMAGE_ARCHIVE=str(folder / "kept"),
        ) as predictor,
    ):
        yield predictor.url, trainer.url


@pytest.fixture
def client(urls: tuple[str, str]) -> Iterator[Client]:
    with Client(*urls) as client:
        yield client


def corrections(trainer: str, model: str) -> list[dict[str, object]]:
    answer = requests.get(f"{trainer}/models/{model}/corrections", timeout=30)
    return list(answer.json()["data"])


def test_an_image_and_its_right_text_become_a_correction(
    client: Client, urls: tuple[str, str], images: Path
) -> None:
    answer = client.feedback("xy", image=images / "ab.png", model="plates")

    assert (answer.status, answer.model, answer.text) == ("delivered", "plates", "xy")
    (correction,) = corrections(urls[1], "plates")
    assert correction["text"] == "xy"


def test_a_prediction_is_put_right_by_its_request(client: Client, urls: tuple[str, str]) -> None:
    prediction = client.predict(png("ca"), model="stripes")

    client.feedback("cb", request_id=prediction.request_id)

    (correction,) = corrections(urls[1], "stripes")
    assert (correction["text"], correction["read"]) == ("cb", "ca")


def test_a_request_that_is_not_known_is_said(client: Client) -> None:
    with pytest.raises(ServiceError) as raised:
        client.feedback("cb", request_id="unknown")

    assert (raised.value.code, raised.value.status) == ("image_not_found", 404)
