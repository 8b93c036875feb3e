"""The predictor's own page, where images are tried and put right without a dashboard."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from shared.access.api_keys import KeyFile
from shared.access.tokens import Scope
from shared.api.datasets import CorrectionPage
from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.browser.site import Site
from tests.support.models.bundles import encoded, image, imported, onnx_graph, png, publish
from tests.support.services import services


@pytest.fixture(scope="module")
def predictor(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.Service]:
    """One with a sure and an unsure model, beside a trainer."""
    folder = tmp_path_factory.mktemp("predictor")
    store = ModelStore(folder / "models")
    publish(store, folder / "sure")
    unsure = {ONNX_MODEL: onnx_graph(sharpness=20.0), "golden/predictions.json": b"[]"}
    publish(store, folder / "unsure", model="unsure", files=unsure, change=imported)
    with services.predictor(folder, READSMITH_TRAINER_URL=site.url) as predictor:
        yield predictor


def chosen(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": data}


def test_images_are_read_with_all_that_is_known_of_them(
    predictor: services.Service, page: Page, require_accessible: Callable[[Page], None]
) -> None:
    page.goto(predictor.url)
    expect(page).to_have_title("Try images · Readsmith")
    page.get_by_label("Model").select_option("unsure")
    page.get_by_label("Choose images…").set_input_files(
        [chosen("first.png", png("ab")), chosen("second's.png", png("cab")), chosen("x.png", b"no")]
    )
    card = page.get_by_role("region", name="second's.png")
    expect(card.locator(".prediction")).to_have_text("cab")
    bars = card.get_by_role("list", name="Confidence of each character").get_by_role("listitem")
    expect(bars).to_have_count(3)
    expect(card.get_by_text("It might also be")).to_be_visible()
    expect(card.get_by_text("unsure, version 1:")).to_contain_text("ms in the model")
    seen = card.get_by_alt_text("What the model saw")
    assert seen.evaluate("image => image.naturalWidth") == 64
    card.get_by_text("The same from a command line").click()
    expect(card.locator("pre")).to_contain_text(f"{predictor.url}/predict?model=unsure'")
    expect(page.get_by_role("region", name="first.png").locator(".prediction")).to_have_text("ab")
    expect(page.get_by_role("region", name="x.png").get_by_role("alert")).to_contain_text("image")
    require_accessible(page)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_an_image_is_dropped_or_pasted(predictor: services.Service, page: Page, kind: str) -> None:
    page.goto(predictor.url)
    expect(page.get_by_label("Model")).to_be_visible()
    page.evaluate(
        """([kind, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "given.png", {type: "image/png"}));
            window.dispatchEvent(kind === "drop"
                ? new DragEvent("drop", {dataTransfer: data, cancelable: true})
                : new ClipboardEvent("paste", {clipboardData: data}));
        }""",
        [kind, list(png("ba"))],
    )
    expect(page.get_by_role("region", name="given.png").locator(".prediction")).to_have_text("ba")


def test_a_wrong_prediction_is_put_right_with_the_keyboard(
    predictor: services.Service, site: Site, page: Page
) -> None:
    page.goto(predictor.url)
    page.get_by_label("Choose images…").set_input_files(chosen("wrong.png", png("ac")))
    card = page.get_by_role("region", name="wrong.png")
    card.get_by_text("Not right? Correct it").press("Enter")
    card.get_by_label("What it says").fill("right")
    card.get_by_label("What it says").press("Enter")
    expect(card.get_by_text("Stored: it says right. The trainer has it.")).to_be_visible()
    answer = page.request.get(f"{site.url}/models/default/corrections")
    kept = CorrectionPage.model_validate_json(answer.body()).data
    assert "right" in [each.text for each in kept]


def test_a_key_is_asked_for_once_and_sent_with_every_request(page: Page, tmp_path: Path) -> None:
    publish(ModelStore(tmp_path / "models"), tmp_path / "build")
    token = KeyFile(tmp_path / "keys.json").create("page", [Scope.PREDICT])
    with services.predictor(
        tmp_path,
        READSMITH_KEYS=str(tmp_path / "keys.json"),
        READSMITH_SERVE_STARTER="false",
    ) as locked:
        page.goto(locked.url)
        page.get_by_label("API key").fill(token)
        page.get_by_role("button", name="Use this key").click()
        sent = chosen("one.png", encoded(image("cab")))
        page.get_by_label("Choose images…").set_input_files(sent)
        card = page.get_by_role("region", name="one.png")
        expect(card.locator(".prediction")).to_have_text("cab")
        card.get_by_text("The same from a command line").click()
        expect(card.locator("pre")).to_contain_text("Bearer $READSMITH_API_KEY")
