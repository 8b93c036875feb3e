"""Trying images, putting predictions right, and the corrections that come of it."""

import base64
import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from shared.store.store import ModelStore
from tests.browser.images import expect_images
from tests.browser.site import Site
from tests.support.models import bundles
from tests.support.models.bundles import png, publish
from tests.support.services import services

RequireAccessible = Callable[[Page], None]

PASTE = """
base64 => {
  const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "image.png", {type: "image/png"}));
  window.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data}));
}
"""

PLAYS = "video => video.videoWidth || new Promise(done => video.onloadeddata = () => done())"


@pytest.fixture(scope="module")
def predictor(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A predictor of the models stripes, bars and queue; returns where it keeps images."""
    folder = tmp_path_factory.mktemp("predictor")
    store = ModelStore(site.settings.store)
    publish(store, folder / "stripes", model="stripes")
    for model in ("bars", "queue"):
        publish(store, folder / model, model=model, characters="cba")
    kept = {"READSMITH_IMAGE_ARCHIVE": str(folder / "kept")}
    with services.predictor(Path(site.settings.store).parent, port=site.predictor_port, **kept):
        yield folder / "kept"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "it's.png"
    file.write_bytes(png("cab"))
    return file


def try_image(site: Site, page: Page, image: Path, model: str = "stripes") -> Locator:
    """Choose the image on the page; return the card of its prediction."""
    page.goto(f"{site.url}/#/try")
    page.get_by_label("Model").select_option(model)
    page.get_by_label("Choose images…").set_input_files(image)
    card = page.get_by_role("region", name=image.name)
    expect(card.get_by_role("heading", name=image.name)).to_be_visible()
    return card


def test_that_no_predictor_answers_is_said(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/#/try")

    expect(page.get_by_role("alert")).to_contain_text("predictor")

    page.goto(f"{site.url}/#/corrections/default")
    queue = page.get_by_role("region", name="Waiting for review")
    expect(queue).to_contain_text("predictor")
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.usefixtures("predictor")
def test_an_image_is_read_with_all_that_is_known_of_it(
    site: Site, page: Page, image: Path, require_accessible: RequireAccessible
) -> None:
    ambiguous = bundles.image("cab")
    ambiguous.paste(43, (0, 0, bundles.STRIPE, bundles.HEIGHT))
    image.write_bytes(bundles.encoded(ambiguous))
    card = try_image(site, page, image)
    expect(card.locator(".prediction")).to_have_text("bab")
    expect(
        card.get_by_role("list", name="Confidence of each").get_by_role("listitem")
    ).to_have_text([re.compile(rf"^{character}\d+\.\d %$") for character in "bab"])
    expect(card.get_by_text("It might also be").locator("xpath=following::ul[1]")).to_have_text(
        re.compile(r"^aab \d+\.\d %")
    )
    expect(card.get_by_text("What the model saw: 64 × 16 pixels")).to_be_visible()
    expect(card.get_by_text("in the predictor")).to_have_text(
        re.compile(r"stripes, version \d+; [\d.]+ ms in the predictor, \d+ ms with")
    )
    card.get_by_text("The same from a command line").click()
    expect(card.locator("pre")).to_have_text(
        f"curl -F 'image=@it'\\''s.png' '{site.url}/try?model=stripes'"
    )
    expect_images(card, 2)
    require_accessible(page)


@pytest.mark.usefixtures("predictor")
def test_images_are_pasted_and_several_chosen_and_the_model_with_them(
    site: Site, page: Page, tmp_path: Path
) -> None:
    files = [tmp_path / "a.png", tmp_path / "notes.txt", tmp_path / "broken.png"]
    for file, data in zip(files, (png("ab"), b"no image", b"none either"), strict=True):
        file.write_bytes(data)
    page.goto(f"{site.url}/#/try")
    page.get_by_label("Model").select_option("bars")
    page.evaluate(PASTE, base64.b64encode(png("ab")).decode())
    expect(page.get_by_role("region", name="image.png").locator(".prediction")).to_have_text("cb")

    page.get_by_label("Choose images…").set_input_files(files)
    expect(page.get_by_role("region", name="a.png").locator(".prediction")).to_have_text("cb")
    expect(page.get_by_role("region", name="broken.png").get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("region", name="notes.txt")).to_have_count(0)


@pytest.mark.usefixtures("predictor")
def test_a_wrong_prediction_is_put_right_changed_exported_and_deleted(
    site: Site, page: Page, image: Path, require_accessible: RequireAccessible
) -> None:
    card = try_image(site, page, image)
    card.get_by_text("Not right? Correct it").click()
    card.get_by_label("What it says").fill("cxb")
    page.keyboard.press("Enter")
    expect(card.get_by_text("Stored among")).to_be_visible()
    card.get_by_role("link", name="the corrections of stripes").click()

    text = page.get_by_label("Text of the image read as cab", exact=True)
    expect(text).to_have_value("cxb")
    kept = page.get_by_role("region", name="Stored")
    expect(kept).to_contain_text("read as cab (100.0 %) by version")
    expect_images(kept, 1)
    require_accessible(page)

    text.fill("cyb")
    kept.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Changed: it says cyb.")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
        assert [row["text"] for row in rows] == ["cyb"]
        assert archive.read(rows[0]["filename"]) == png("cab")

    page.get_by_role("button", name="Delete cxb").click()
    expect(page.get_by_text("No corrections yet")).to_be_visible()


def test_corrections_of_all_models_are_counted_and_older_ones_shown_on_demand(
    site: Site, page: Page, require_accessible: RequireAccessible
) -> None:
    corrections = f"{site.url}/models/default/corrections"
    others = httpx.get(corrections).json()["count"]  # of tests before, in the same services
    for count in range(50 - others):
        image = {"image": png("abca"[: 1 + count % 4]) + bytes([count])}
        answer = httpx.post(corrections, files=image, data={"text": f"t{count}"})
        assert answer.status_code == 201
    page.goto(f"{site.url}/#/corrections")
    expect(page.get_by_role("row").filter(has_text="default")).to_contain_text("50")
    page.get_by_role("link", name="default").click()
    items = page.get_by_role("listitem").filter(has=page.get_by_role("textbox"))
    expect(items).to_have_count(48)
    page.get_by_role("button", name="Show older ones").click()
    expect(items).to_have_count(50)
    texts = [item.get_by_role("textbox").input_value() for item in items.all()]
    assert texts[:48] == [f"t{count}" for count in range(49 - others, 1 - others, -1)]
    require_accessible(page)


@pytest.mark.usefixtures("predictor")
def test_an_image_is_taken_with_the_camera_which_is_closed_afterwards(
    site: Site, page: Page
) -> None:
    page.goto(f"{site.url}/#/try")
    page.get_by_label("Model").select_option("stripes")
    page.get_by_role("button", name="Use the camera").click()
    page.locator("video").evaluate(PLAYS)
    page.get_by_role("button", name="Take the image").click()
    expect(
        page.get_by_role("region", name="camera.png").get_by_text("stripes, version")
    ).to_be_visible()

    stream = page.evaluate_handle("document.querySelector('video').srcObject")
    page.get_by_role("button", name="Close the camera").click()
    expect(page.locator("video")).to_have_count(0)
    assert stream.evaluate("stream => stream.active") is False


@pytest.mark.usefixtures("predictor")
def test_the_least_sure_predictions_wait_for_a_look(
    site: Site, page: Page, require_accessible: RequireAccessible
) -> None:
    unsure = bundles.image("ab")
    unsure.paste(43, (0, 0, bundles.STRIPE, bundles.HEIGHT))
    page.goto(f"{site.url}/#/corrections/queue")
    for image in (png("ccc"), bundles.encoded(unsure)):
        httpx.post(f"{site.url}/try?model=queue", files={"image": image}).raise_for_status()
    waiting = page.get_by_role("region", name="Waiting for review").get_by_role("listitem")
    expect(page.get_by_role("region", name="Waiting for review")).to_be_visible()
    while waiting.count() < 2:  # they are written behind the requests' back
        page.reload()
        expect(page.get_by_role("region", name="Waiting for review")).to_be_visible()
    expect(waiting.last).to_contain_text("read as aaa (100.0 %) by version 1")
    expect_images(page.get_by_role("region", name="Waiting for review"), waiting.count())
    require_accessible(page)

    before = waiting.count()
    waiting.first.get_by_role("textbox").fill("xy")
    waiting.first.get_by_role("button", name="Store this text").click()
    expect(page.get_by_role("region", name="Stored").get_by_role("textbox")).to_have_value("xy")
    expect(waiting).to_have_count(before - 1)
    waiting.last.get_by_role("button", name="Pass over aaa").click()
    expect(waiting).to_have_count(before - 2)


@pytest.mark.usefixtures("predictor")
def test_a_model_s_page_leads_to_trying_that_model_and_predictions_are_saved(
    site: Site, page: Page, tmp_path: Path
) -> None:
    page.goto(f"{site.url}/#/models/bars")
    page.get_by_role("link", name="Try it").last.click()
    expect(page.get_by_label("Model")).to_have_value("bars")
    expect(page.get_by_role("button", name="Download CSV")).to_have_count(0)
    files = [tmp_path / "=a,1.png", tmp_path / "b.png"]
    for file in files:
        file.write_bytes(png("ab"))
    page.get_by_label("Choose images…").set_input_files(files)
    expect(page.get_by_role("region", name="b.png").locator(".prediction")).to_have_text("cb")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [(row["file"], row["text"], row["model"]) for row in rows] == [
        ("'=a,1.png", "cb", "bars"),
        ("b.png", "cb", "bars"),
    ]
