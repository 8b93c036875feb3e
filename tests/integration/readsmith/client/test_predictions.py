"""The client's predictions, and `readsmith predict --url`, by a real predictor."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from readsmith.client import Client, Prediction, ServiceError
from shared.api.predictions import Frame, ImageError
from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.commands import Run
from tests.support.models.bundles import imported, onnx_graph, png, publish
from tests.support.services import services

MOST_IMAGES = 3


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A predictor that takes three images at once; its version 2 is less sure than version 1."""
    folder = tmp_path_factory.mktemp("predictor")
    store = ModelStore(folder / "models")
    publish(store, folder / "1", model="stripes")
    unsure = {ONNX_MODEL: onnx_graph(sharpness=20.0), "golden/predictions.json": b"[]"}
    publish(store, folder / "2", model="stripes", files=unsure, change=imported)
    with services.predictor(folder, READSMITH_MAX_IMAGES=str(MOST_IMAGES)) as predictor:
        yield predictor.url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


def test_an_image_is_read_from_a_path_from_bytes_and_from_a_file(
    client: Client, images: Path
) -> None:
    path = images / "ab.png"

    predictions = [
        client.predict(image, model="stripes")
        for image in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()))
    ]

    assert [prediction.text for prediction in predictions] == ["ab"] * 4
    assert [(prediction.model, prediction.version) for prediction in predictions] == [
        ("stripes", 2)
    ] * 4
    assert len({prediction.request_id for prediction in predictions}) == 4
    first, second = predictions[0].characters
    assert (first.text, second.text) == ("a", "b")
    assert 0 <= first.start < first.end <= second.start < second.end <= 1


def test_every_option_reaches_the_predictor(client: Client) -> None:
    prediction = client.predict(
        png("ca"), model="stripes", version=1, top_k=2, charset="ab+", pattern="[ab]{1,3}",
        min_length=2, max_length=2, min_confidence=0.5, allowed=("bc", "ba"), allowed_threshold=0.0,
    )  # fmt: skip

    assert prediction.version == 1
    assert prediction.text == "ba"
    assert [each.text for each in prediction.alternatives][:1] == ["ba"]
    assert len(prediction.alternatives) <= 2
    assert prediction.accepted is False


def test_alternatives_and_accepted_are_empty_unless_asked_for(client: Client) -> None:
    prediction = client.predict(png("ca"), model="stripes")

    assert prediction.alternatives == ()
    assert prediction.accepted is None
    assert prediction.reason is None


def test_many_images_are_read_in_order_and_a_bad_one_gives_its_error(client: Client) -> None:
    images = [png("a"), b"no image", png("b"), png("c"), b"", png("ab"), png("ac")]

    answers = list(client.predict_many(iter(images), model="stripes"))

    told = [each.text if isinstance(each, Prediction) else each.code for each in answers]
    assert told == ["a", "not_an_image", "b", "c", "empty_image", "ab", "ac"]
    assert {each.version for each in answers if isinstance(each, Prediction)} == {2}


def test_more_images_than_a_request_may_have_are_sent_in_parts(client: Client) -> None:
    texts = ["a", "b", "c", "aa", "ab", "ac", "ba"]
    assert len(texts) > 2 * MOST_IMAGES

    answers = client.predict_many(map(png, texts), model="stripes")

    assert [each.text for each in answers if isinstance(each, Prediction)] == texts


def test_shots_of_one_thing_are_read_as_one_text(client: Client, images: Path) -> None:
    answer = client.predict_combined(
        [images / "ab.png", b"no image", png("ab")], model="stripes", version=1, top_k=2
    )

    good, broken, _ = answer.frames
    assert (answer.text, answer.frame, answer.version) == ("ab", 0, 1)
    assert answer.alternatives[0].text == "ab"
    assert isinstance(good, Frame)
    assert good.agrees
    assert isinstance(broken, ImageError)
    assert broken.error.code == "not_an_image"


def test_more_shots_than_a_request_may_have_are_an_error(client: Client) -> None:
    with pytest.raises(ServiceError) as raised:
        client.predict_combined([png("a")] * (MOST_IMAGES + 1), model="stripes")

    assert (raised.value.code, raised.value.status) == ("too_many_images", 413)


def test_a_wrong_option_is_an_error_with_code_status_field_and_hint(client: Client) -> None:
    with pytest.raises(ServiceError) as raised:
        client.predict(png("a"), model="stripes", pattern="[a")
    assert (raised.value.code, raised.value.status) == ("pattern_invalid", 422)
    assert raised.value.field == "pattern"

    with pytest.raises(ServiceError) as raised:
        list(client.predict_many([png("a"), png("b")], model="stripes", top_k=99))
    assert (raised.value.code, raised.value.field) == ("request_invalid", "top_k")
    assert raised.value.hint == "top_k must be a whole number from 1 to 20."


def test_a_single_bad_image_is_an_error(client: Client) -> None:
    with pytest.raises(ServiceError) as raised:
        client.predict(b"no image", model="stripes")

    assert (raised.value.code, raised.value.field) == ("not_an_image", "image")


def test_it_tells_which_models_answer_and_whether_it_is_ready(client: Client) -> None:
    models = {model.model: model for model in client.models()}
    ready = client.ready()

    assert (models["stripes"].version, models["stripes"].vocabulary) == (2, "abc")
    assert ready.ready
    assert ready.models["stripes"].version == 2
    assert ready.models["stripes"].rejection is None


def test_predict_with_url_reads_a_folder_with_every_option(
    run: Run, url: str, images: Path
) -> None:
    (images / "bad.png").write_text("no image")

    result = run(
        "predict", images, images / "c.png", "--url", url, "--model", "stripes",
        "--version", 1, "--top-k", 2, "--pattern", "[abc]{2}", "--min-confidence", 0.5, "--json",
    )  # fmt: skip

    results = json.loads(result.stdout)["results"]
    assert result.exit_code == 1
    assert [Path(each["file"]).name for each in results] == [
        *sorted(path.name for path in images.iterdir()), "c.png",
    ]  # fmt: skip
    by_name = {Path(each["file"]).stem: each for each in results}
    assert by_name["bad"]["error"]["code"] == "not_an_image"
    assert (by_name["ab"]["text"], by_name["ab"]["version"]) == ("ab", 1)
    assert by_name["ab"]["accepted"]
    assert len(by_name["c"]["text"]) == 2
    assert not by_name["c"]["accepted"]


def test_predict_with_url_combines_shots(run: Run, url: str, images: Path) -> None:
    (images / "bad.png").write_text("no image")
    shots = [images / "bad.png", images / "ab.png", images / "bb.png"]

    result = run(
        "predict", *shots, "--combine", "--url", url, "--model", "stripes", "--pattern", "a.",
        "--json",
    )  # fmt: skip

    answer = json.loads(result.stdout)
    assert result.exit_code == 0, result.stderr
    assert (answer["text"], answer["frame"]) == ("ab", 1)
    assert [Path(each["file"]).stem for each in answer["frames"]] == ["bad", "ab", "bb"]
    assert answer["frames"][0]["error"]["code"] == "not_an_image"


def test_predict_with_url_passes_on_what_the_predictor_says_of_the_starter(
    run: Run, images: Path, tmp_path: Path
) -> None:
    with services.predictor(tmp_path) as predictor:  # without a model of one's own
        result = run("predict", images / "ab.png", "--url", predictor.url)

    assert result.exit_code == 0
    assert "Read by the starter" in result.stderr


def test_predict_with_url_shows_a_refusal_as_one_error(run: Run, url: str, images: Path) -> None:
    result = run("predict", images, "--url", url, "--model", "other")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: There is no model 'other'.")
