"""What the predictor counts while it answers."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image

from predictor.api.app import create_app
from predictor.models.registry import Registry
from predictor.settings import PredictorSettings
from shared.store.manifest import ImageSizes
from shared.store.store import ModelStore
from tests.support.api.metrics import labels_of, sample
from tests.support.models.bundles import HEIGHT, WIDTH, encoded, png, publish

NEITHER_A_NOR_B = encoded(Image.new("L", (WIDTH, HEIGHT), 42))
SIZES = ImageSizes(widths=(WIDTH, WIDTH), heights=(HEIGHT, HEIGHT))

Counted = Callable[..., float]


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """A client of a predictor whose model knows the sizes that it was trained on."""
    chosen = PredictorSettings(store=tmp_path / "models")
    publish(
        ModelStore(chosen.store),
        tmp_path / "build",
        change=lambda manifest: manifest.model_copy(update={"image_sizes": SIZES}),
    )
    registry = Registry(chosen)
    registry.poll()
    return create_app(chosen, registry).test_client()


@pytest.fixture
def counted(client: FlaskClient) -> Counted:
    """How much a sample has grown since the test began: all tests count in one process."""

    def page() -> str:
        return client.get("/metrics").get_data(as_text=True)

    before = page()
    return lambda name, **labels: sample(page(), name, **labels) - sample(before, name, **labels)


def send(client: FlaskClient, *images: bytes) -> None:
    client.post("/predict", data={"image": [(io.BytesIO(image), "a.png") for image in images]})


def test_requests_are_counted_by_method_route_and_status(
    client: FlaskClient, counted: Counted
) -> None:
    send(client, png("a"))
    send(client, b"no image")
    client.get("/nowhere")
    client.delete("/predict")

    def requests(method: str, route: str, status: str) -> float:
        name = "readsmith_predictor_requests_total"
        return counted(name, method=method, route=route, status=status)

    assert requests("POST", "/predict", "200") == 1
    assert requests("POST", "/predict", "400") == 1
    assert requests("other", "other", "404") == 1
    assert requests("other", "other", "405") == 1


KNOWN_METHODS = {"GET", "POST", "DELETE", "OPTIONS", "other"}


def test_invented_methods_and_paths_make_no_series(client: FlaskClient) -> None:
    name = "readsmith_predictor_requests_total"
    for number in range(300):
        for path in ("/predict", "/review/x", f"/nowhere{number}", "/"):
            client.open(path, method=f"INVENTED{number}")
    page = client.get("/metrics").get_data(as_text=True)
    assert {each["method"] for each in labels_of(page, name)} <= KNOWN_METHODS
    assert len(page) < 100_000


def test_errors_are_counted_by_code_those_of_images_among_several_too(
    client: FlaskClient, counted: Counted
) -> None:
    send(client, b"no image")
    send(client, b"no image", png("a"), b"%PDF-1.7")
    client.get("/nowhere")
    errors = "readsmith_predictor_errors_total"
    assert counted(errors, code="not_an_image") == 2
    assert counted(errors, code="unsupported_format") == 1
    assert counted(errors, code="not_found") == 1
    assert counted(errors) == 4


def test_each_part_of_a_request_is_timed_and_together_they_take_no_longer_than_the_whole(
    client: FlaskClient, counted: Counted
) -> None:
    send(client, *[png("a")] * 40)  # more than one run of the model
    parts = ("parse", "prepare", "model", "decode")
    for part in parts:
        assert counted("readsmith_predictor_part_seconds_count", part=part) == 1
        assert counted("readsmith_predictor_part_seconds_sum", part=part) > 0
    whole = counted("readsmith_predictor_request_seconds_sum", route="/predict")
    assert counted("readsmith_predictor_part_seconds_sum") <= whole


def test_a_search_is_timed_too_and_a_refused_image_only_as_far_as_it_came(
    client: FlaskClient, counted: Counted
) -> None:
    image = (io.BytesIO(png("a")), "a.png")
    client.post("/predict", data={"image": image, "top_k": "2", "pattern": "[ab]"})
    send(client, b"no image")
    assert counted("readsmith_predictor_part_seconds_count", part="prepare") == 2
    assert counted("readsmith_predictor_part_seconds_count", part="model") == 1


def test_predictions_are_counted_with_their_confidences(
    client: FlaskClient, counted: Counted
) -> None:
    send(client, png("a"), b"no image", NEITHER_A_NOR_B)
    assert counted("readsmith_predictions_total", model="default", version="1") == 2
    assert counted("readsmith_confidence_count", model="default") == 2
    assert counted("readsmith_confidence_bucket", model="default", le="0.5") == 1


def test_unsure_predictions_and_unseen_sizes_are_counted(
    client: FlaskClient, counted: Counted
) -> None:
    wide = encoded(Image.new("L", (2 * WIDTH, HEIGHT), 255))
    send(client, png("a"), NEITHER_A_NOR_B, wide, png("b"))
    assert counted("readsmith_low_confidence_total", model="default", version="1") == 1
    assert counted("readsmith_unseen_size_total", model="default", version="1") == 1


def test_golden_images_are_no_predictions(tmp_path: Path, counted: Counted) -> None:
    store = ModelStore(tmp_path / "others")
    publish(store, tmp_path / "other")
    Registry(PredictorSettings(store=store.root)).poll()
    assert counted("readsmith_predictor_reloads_total", model="default") == 1
    assert counted("readsmith_predictions_total") == 0
    assert counted("readsmith_predictor_part_seconds_count") == 0
