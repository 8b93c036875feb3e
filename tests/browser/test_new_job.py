"""The form for a new training, from a dropped zip to the job that it starts."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site, wait_for_images
from tests.support.labelled_images import image, labelled_zip, texts, write_zip
from tests.support.services import web_site
from trainer.schemas.job_request import FilenameLabelSource, JobRequest

DROP = """
(target, [name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, {type: "application/zip"}));
  for (const kind of ["dragover", "drop"]) {
    const event = new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true});
    target.dispatchEvent(event);
  }
}
"""


def drop(page: Page, file: Path, selector: str = ".dropzone") -> None:
    """Drop a file, as from a desktop."""
    content = base64.b64encode(file.read_bytes()).decode()
    page.locator(selector).evaluate(DROP, [file.name, content])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Thirty good images, one broken one, one that is there twice."""
    good = {f"{text}_{i}.png": image(text, seed=i) for i, text in enumerate(texts(30))}
    again = {"again.png": next(iter(good.values()))}
    rows = [f"{name},{name.partition('_')[0]}" for name in good]
    table = "\n".join(
        ["filename,text", *rows, f"again.png,{rows[0].partition(',')[2]}", "bad.png,A"]
    )
    files = good | again | {"bad.png": b"no image", "labels.csv": table.encode()}
    return write_zip(tmp_path / "plates.zip", files)


def test_a_dropped_zip_is_shown_before_anything_starts(
    site: Site, page: Page, images: Path, require_accessible: Callable[[Page], None]
) -> None:
    page.goto(site.url)
    drop(page, images)

    expect(page.get_by_role("heading", name="Do these labels look right?")).to_be_visible()
    expect(page.get_by_text("of 32 found")).to_be_visible()
    expect(page.get_by_role("img", name="Image ")).to_have_count(24)
    expect(page.locator(".images figcaption").first).to_have_text(re.compile("^[AHX]{1,2}$"))
    page.get_by_text("2 files left out").click()
    left_out = page.get_by_role("region", name="Files left out")
    expect(left_out).to_contain_text("bad.png")
    expect(left_out).to_contain_text("the same image once more")
    wait_for_images(page)
    require_accessible(page)
    with pytest.raises(AssertionError, match="no job waits"):
        site.take()


def test_start_begins_a_job_with_what_was_chosen(site: Site, page: Page, images: Path) -> None:
    page.goto(site.url)
    page.get_by_label("Choose a zip…").set_input_files(images)
    page.get_by_label("Model", exact=True).fill("meters")
    page.get_by_text("More settings").click()
    page.get_by_label("Epochs").fill("3")
    page.get_by_label("Start from").fill("none")
    page.get_by_label("Serve the new version").select_option("never, I decide later")
    page.get_by_role("button", name="Start training").click()

    expect(page.get_by_role("heading", name="Training meters")).to_be_visible()
    request = JobRequest.model_validate(site.job(page.url.rpartition("/")[2]).request)
    assert (request.model, request.base, request.promote) == ("meters", "none", "never")
    assert request.hyperparameters.epochs == 3
    assert request.dataset.id is not None
    site.take().cancelled()


def test_a_search_is_begun_with_its_trials_and_minutes(
    site: Site, page: Page, images: Path
) -> None:
    page.goto(site.url)
    drop(page, images)
    page.get_by_text("More settings").click()
    page.get_by_label("Trials of a search").fill("4")
    page.get_by_label("At most so many minutes").fill("2.5")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", name="Training plates")).to_be_visible()
    request = JobRequest.model_validate(site.job(page.url.rpartition("/")[2]).request)
    assert request.search is not None
    assert (request.search.trials, request.search.max_minutes) == (4, 2.5)
    assert set(request.search.parameters) == {"learning_rate", "augmentation"}
    assert request.hyperparameters.max_minutes == "auto"
    site.take().cancelled()


def test_labels_can_be_taken_from_elsewhere(site: Site, page: Page, images: Path) -> None:
    page.goto(site.url)
    drop(page, images)
    page.get_by_label("Labels come from").select_option("a part of the file names")
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("file names by ^(.+)[_-][0-9]+$")).to_be_visible()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", name="Training plates")).to_be_visible()
    labels = JobRequest.model_validate(site.job(page.url.rpartition("/")[2]).request).labels
    assert isinstance(labels, FilenameLabelSource)
    assert labels.filename.pattern == "^(.+)[_-][0-9]+$"
    site.take().cancelled()


def test_too_few_images_are_explained_and_cannot_be_started(
    site: Site, page: Page, tmp_path: Path
) -> None:
    page.goto(site.url)
    drop(page, labelled_zip(tmp_path / "few.zip", texts(3)))

    expect(page.get_by_role("alert")).to_contain_text("3 usable labelled images were found")
    expect(page.get_by_role("alert")).to_contain_text("At least 10 are needed")
    expect(page.get_by_role("button", name="Start training")).to_have_count(0)
    page.get_by_role("button", name="Take other images").click()
    expect(page.get_by_text("Drop a zip of labelled images here")).to_be_visible()


def test_what_is_no_zip_is_refused_in_plain_words(site: Site, page: Page, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(image("A"))
    page.goto(site.url)
    drop(page, tmp_path / "cat.png")

    expect(page.get_by_role("alert")).to_contain_text("zip")
    expect(page.get_by_text("Drop a zip of labelled images here")).to_be_visible()


def test_a_file_that_misses_the_zone_does_not_replace_the_page(
    site: Site, page: Page, images: Path
) -> None:
    page.goto(site.url)
    page.get_by_text("Drop a zip").wait_for()
    page.evaluate("window.addEventListener('drop', e => window.kept = e.defaultPrevented)")

    drop(page, images, "h1")

    assert page.evaluate("window.kept")
    expect(page.get_by_text("Drop a zip of labelled images here")).to_be_visible()


def get_from(page: Page, url: str) -> None:
    page.get_by_text("Or get it from a web address").click()
    page.get_by_label("Address of a zip").fill(url)
    page.get_by_role("button", name="Get it").click()


def test_a_zip_is_got_from_a_web_address(site: Site, page: Page, images: Path) -> None:
    content = images.read_bytes()
    with web_site.serve({"/a.zip": lambda it: web_site.answer(it, content)}, "127.0.0.2") as web:
        page.goto(site.url)
        get_from(page, f"{web.url}/a.zip")
        expect(page.get_by_text("of 32 found")).to_be_visible()


def test_an_address_that_may_not_be_read_is_explained(site: Site, page: Page) -> None:
    page.goto(site.url)
    get_from(page, "http://127.0.0.1:9/set.zip")

    expect(page.get_by_role("alert")).to_contain_text("127.0.0.1")


def test_images_that_were_sent_before_are_taken_again(
    site: Site, page: Page, images: Path, require_accessible: Callable[[Page], None]
) -> None:
    page.goto(site.url)
    drop(page, images)
    expect(page.get_by_text("of 32 found")).to_be_visible()

    page.reload()
    page.get_by_text("Or take images that were sent before").click()
    again = page.get_by_role("button", name="sent just now").first
    expect(again).to_be_visible()
    require_accessible(page)
    again.click()

    expect(page.get_by_text("of 32 found")).to_be_visible()


def test_an_upload_can_be_called_off(site: Site, page: Page, images: Path) -> None:
    page.route("**/datasets", lambda route: None)  # it is never answered
    page.goto(site.url)
    drop(page, images)
    expect(page.get_by_text("Sending plates.zip")).to_be_visible()

    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Drop a zip of labelled images here")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_keys_alone_lead_from_the_top_to_the_choice_of_a_zip(site: Site, page: Page) -> None:
    page.goto(site.url)
    page.get_by_text("Drop a zip").wait_for()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Choose a zip…")).to_be_focused()


def test_the_model_s_name_is_proposed_and_nothing_moves_under_a_click(
    site: Site, page: Page, images: Path
) -> None:
    named = images.with_name("Ünsere Meter (2).zip")
    named.write_bytes(images.read_bytes())
    answer = page.request.post(
        f"{site.url}/models/with-some/corrections",
        multipart={
            "image": {"name": "a.png", "mimeType": "image/png", "buffer": image("A", seed=99)},
            "text": "A",
        },
    )
    assert answer.status == 201
    page.goto(f"{site.url}/#/jobs")
    page.get_by_label("Choose a zip…").set_input_files(named)
    model = page.get_by_label("Model", exact=True)
    expect(model).to_have_value("unsere-meter-2")
    expect(page.get_by_label("No corrections to add")).to_be_disabled()
    model.fill("with-some")
    model.blur()
    expect(page.get_by_label("Add the 1 correction of with-some")).to_be_enabled()
    before = page.get_by_role("button", name="Start training").bounding_box()
    model.fill("without")
    model.blur()
    expect(page.get_by_label("No corrections to add")).to_be_visible()
    assert page.get_by_role("button", name="Start training").bounding_box() == before
