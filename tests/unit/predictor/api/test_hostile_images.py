"""What POST /predict answers to images that mean harm: a prediction or a clear refusal."""

import gc
import io
from collections.abc import Iterable, Iterator

import pytest
from flask.testing import FlaskClient

from predictor.api.app import create_app
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.errors import ImageRejectedError
from shared.store.store import ModelStore
from tests.support.hostile.images import READ, REFUSED
from tests.support.models.bundles import png, publish

STATUS = {"image_too_large": 413, "not_an_image": 400}
SLOW_TO_MAKE = (" MP ", "million", "thousand", "50 MB", "fractions")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def quick(names: Iterable[str]) -> list[str]:
    return [name for name in names if not any(part in name for part in SLOW_TO_MAKE)]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("models")
    publish(ModelStore(folder), folder / "build")
    settings = PredictorSettings(serve_starter=False, store=folder)
    registry = Registry(settings)
    registry.poll()
    yield create_app(settings, registry).test_client()


@pytest.mark.parametrize("name", quick(REFUSED))
def test_a_hostile_image_is_refused_with_a_problem_document(client: FlaskClient, name: str) -> None:
    build, code = REFUSED[name]
    answer = client.post("/predict", data=build(), content_type="image/png")
    document = answer.get_json()
    assert (answer.status_code, document["code"]) == (STATUS[code], code)
    assert answer.content_type == "application/problem+json"
    assert document["detail"]
    assert document["hint"]


@pytest.mark.parametrize("name", quick(READ))
def test_an_odd_image_is_read(client: FlaskClient, name: str) -> None:
    answer = client.post("/predict", data=READ[name](), content_type="image/png")
    assert answer.status_code == 200
    assert "text" in answer.get_json()


def test_a_hostile_image_among_others_does_not_spoil_their_predictions(client: FlaskClient) -> None:
    hostile = REFUSED["a thousand scans"][0]()
    files = [(io.BytesIO(data), "x.png") for data in (png("ab"), hostile, png("c"))]
    answer = client.post("/predict", data={"image": files})
    first, second, third = answer.get_json()["results"]
    assert (first["text"], third["text"]) == ("ab", "c")
    assert second["error"]["code"] == "image_too_large"


@pytest.mark.parametrize("name", ["a row of ten million", "no width", "cut"])
def test_a_refused_image_is_let_go_with_its_answer(client: FlaskClient, name: str) -> None:
    """Errors whose traceback held the frame that held them left 40 MB behind, each."""
    data = png("cab")[:60] if name == "cut" else REFUSED[name][0]()
    gc.collect()
    gc.disable()
    try:
        answer = client.post("/predict", data=data, content_type="image/png")
        left = [found for found in gc.get_objects() if isinstance(found, ImageRejectedError)]
    finally:
        gc.enable()
    assert answer.status_code in (400, 413)
    assert not left
