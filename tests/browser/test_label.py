"""Labelling in the browser: by keys alone, two people at once, nothing lost."""

import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.api.labelling import Estimate
from tests.browser.labelled_set import LabelledSet, answer, shown, wait_until_saved
from tests.browser.site import Site
from tests.support.labelled_images import image, texts, write_zip
from trainer.schemas.job_request import JobRequest

COUNT = 30
LABELS = {f"{i:04}.png": text for i, text in enumerate(texts(COUNT))}
IMAGES = {name: image(text, seed=int(name[:4])) for name, text in LABELS.items()}
ESTIMATE = Estimate(accuracy=0.94, low=0.88, high=0.97, confirmed=36, remaining=20, more_for_98=12)


@pytest.fixture
def dataset(site: Site) -> LabelledSet:
    """Thirty images; what is proposed for each is right."""
    made = LabelledSet.create(site, "letters", IMAGES)
    made.propose(LABELS)
    return made


def write_images(folder: Path) -> list[Path]:
    """Write the images as loose files."""
    folder.mkdir()
    for name, data in IMAGES.items():
        (folder / name).write_bytes(data)
    return sorted(folder.iterdir())


def made_dataset(site: Site, page: Page) -> LabelledSet:
    """Return the dataset whose page has opened."""
    expect(page).to_have_url(re.compile("#/label/dataset-"))
    return LabelledSet(site, page.url.rpartition("/")[2])


def press(page: Page, key: str) -> str:
    """Press a key that leads to another image; returns the name of the image before."""
    before = shown(page)
    page.keyboard.press(key)
    expect(page.locator(".shown img")).not_to_have_attribute("alt", f"The image {before}")
    return before


def test_keys_alone_confirm_correct_skip_and_mark(page: Page, dataset: LabelledSet) -> None:
    field = dataset.open(page)
    expect(field).to_have_value(LABELS[shown(page)])
    confirmed = press(page, "Enter")
    page.keyboard.type("HAT")  # in the place of the proposal, which is selected
    corrected = press(page, "Enter")
    skipped = press(page, "ArrowDown")
    unreadable = press(page, "Shift+Enter")

    expect(page.get_by_text("2 confirmed.")).to_be_visible()
    wait_until_saved(page)
    assert dataset.texts() == {confirmed: LABELS[confirmed], corrected: "HAT"}
    images = dataset.images()
    assert images[unreadable]["state"] == "unreadable"
    assert images[skipped]["state"] == "proposed"
    assert images[confirmed]["by"] == "Ada"
    assert images[confirmed]["random"], "the first dozen are drawn"


def test_what_is_typed_is_taken_back_before_the_last_answer_is(
    page: Page, dataset: LabelledSet
) -> None:
    field = dataset.open(page)
    confirmed = press(page, "Enter")
    page.keyboard.type("wrong")
    page.keyboard.press("Escape")
    expect(field).to_have_value(LABELS[shown(page)])
    wait_until_saved(page)
    assert list(dataset.texts()) == [confirmed]

    press(page, "Escape")
    assert shown(page) == confirmed
    wait_until_saved(page)
    assert dataset.texts() == {}
    assert dataset.images()[confirmed]["state"] == "proposed"


def test_a_question_mark_shows_the_keys_and_a_second_one_is_typed(
    page: Page, dataset: LabelledSet
) -> None:
    field = dataset.open(page)
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Shift")
    page.keyboard.press("?")
    expect(keys).to_be_hidden()
    expect(field).to_have_value("?")
    expect(field).to_be_focused()
    page.keyboard.type("a?")
    expect(field).to_have_value("?a?")


def test_enter_on_an_empty_field_decides_nothing(page: Page, dataset: LabelledSet) -> None:
    field = dataset.open(page)
    name = shown(page)
    field.fill("")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Type what it says.")).to_be_visible()
    assert shown(page) == name
    assert dataset.images("confirmed", "unreadable") == {}


def test_skipped_images_come_again_at_the_end(page: Page, site: Site) -> None:
    some = dict(list(IMAGES.items())[:4])
    dataset = LabelledSet.create(site, "few", some)
    dataset.propose(LABELS)
    dataset.open(page)
    skipped = press(page, "ArrowDown")
    for _ in range(3):
        page.keyboard.press("Enter")
    expect(page.get_by_text("That was the last one.")).to_be_visible()
    again = page.get_by_role("button", name="Go through them")
    expect(again).to_be_focused()
    page.keyboard.press("Enter")
    expect(answer(page)).to_be_focused()
    assert shown(page) == skipped


def test_nothing_is_lost_while_the_service_is_away(page: Page, dataset: LabelledSet) -> None:
    dataset.open(page)
    page.route("**/labels", lambda route: route.abort())
    first, second = press(page, "Enter"), press(page, "Enter")
    unsaved = page.get_by_text("2 labels are not saved yet")
    expect(unsaved).to_be_visible()
    page.keyboard.type("half a te")
    third = shown(page)

    page.reload()  # as after a laptop was closed
    expect(answer(page)).to_have_value("half a te")
    assert shown(page) == third
    expect(unsaved).to_be_visible()
    assert dataset.texts() == {}

    page.unroute("**/labels")
    expect(unsaved).to_be_hidden()
    wait_until_saved(page)
    assert dataset.texts() == {first: LABELS[first], second: LABELS[second]}


def test_a_label_that_is_refused_is_told_and_the_others_are_saved(
    page: Page, dataset: LabelledSet
) -> None:
    dataset.open(page)
    page.route("**/labels", lambda route: route.abort())
    page.keyboard.type("x" * 2000)
    press(page, "Enter")
    good = press(page, "Enter")
    expect(page.get_by_text("2 labels are not saved yet")).to_be_visible()

    page.unroute("**/labels")
    refused = page.get_by_role("alert")
    expect(refused).to_contain_text("Not saved")
    wait_until_saved(page)
    assert list(dataset.texts()) == [good]
    refused.get_by_role("button", name="Close").click()
    expect(refused).to_have_count(0)
    expect(answer(page)).to_be_focused()


def test_who_changed_a_label_meanwhile_is_told_and_not_overwritten(
    page: Page, dataset: LabelledSet
) -> None:
    dataset.open(page)
    page.route(f"**/datasets/{dataset.id}", lambda route: route.abort())  # it hears of no change
    for button in ("Leave “HAT”", "Make it “MINE”"):
        name = shown(page)
        dataset.confirm(name, "HAT", by="Bob")
        page.keyboard.type("MINE")
        press(page, "Enter")
        told = page.get_by_role("alert")
        expect(told).to_contain_text(f"Bob changed {name}")
        expect(told).to_contain_text("“HAT”. You said “MINE”.")
        assert dataset.texts()[name] == "HAT"
        told.get_by_role("button", name=button).click()
        expect(told).to_have_count(0)
        wait_until_saved(page)
        assert dataset.texts()[name] == ("HAT" if button.startswith("Leave") else "MINE")


def test_a_second_tab_goes_on_where_the_first_one_is(
    page: Page, chromium: Browser, dataset: LabelledSet
) -> None:
    other = chromium.new_context().new_page()
    for each, name in ((page, "Ada"), (other, "Bob")):
        each.add_init_script("Math.random = () => 0.5")  # else they begin with different images
        dataset.open(each, name)
    assert shown(page) == shown(other)
    other.keyboard.type("half")
    first = press(page, "Enter")
    expect(other.get_by_text("1 confirmed.")).to_be_visible()
    expect(other.get_by_text("Confirmed by Ada")).to_be_visible()
    expect(answer(other)).to_have_value("half")

    press(other, "ArrowDown")
    second = press(other, "Enter")
    expect(page.get_by_text("2 confirmed.")).to_be_visible()
    while page.get_by_text("That was the last one.").is_hidden():
        assert shown(page) != first
        page.keyboard.press("Enter")
    wait_until_saved(page)
    by = {name: one["by"] for name, one in dataset.images("confirmed").items()}
    assert len(by) == COUNT
    assert by[second] == "Bob"
    assert by[first] == "Ada"
    other.context.close()


def test_new_proposals_come_while_one_types_and_touch_nothing(
    page: Page, dataset: LabelledSet
) -> None:
    field = dataset.open(page)
    for _ in range(3):
        press(page, "Enter")
    page.keyboard.type("my own")
    wait_until_saved(page)
    better = {name: f"{text}2" for name, text in LABELS.items()}
    dataset.propose(better, estimate=ESTIMATE)

    expect(page.get_by_text("New proposals")).to_be_visible()
    expect(field).to_have_value("my own")
    expect(field).to_be_focused()
    line = "Estimated accuracy on the rest: 94 % (88-97 %). About 12 more for 98 %."
    expect(page.locator(".standing")).to_have_text(f"3 confirmed. {line}")
    page.keyboard.press("Escape")
    expect(field).to_have_value(better[shown(page)])
    press(page, "Enter")
    expect(field).to_have_value(better[shown(page)])


def test_what_is_suspected_is_shown_with_what_was_read(page: Page, dataset: LabelledSet) -> None:
    name = next(iter(IMAGES))
    dataset.confirm(name, "HAT", by="Bob")
    dataset.propose({name: "HAY"}, confidence=0.97, suspected=[name])
    field = dataset.open(page)
    page.get_by_label("Which images").select_option("Suspected labels (1)")
    expect(field).to_have_value("HAT")
    expect(page.get_by_text("It was read as HAY, 97.0 % sure.")).to_be_visible()
    page.get_by_role("button", name="Take HAY").click()
    wait_until_saved(page)
    assert dataset.texts()[name] == "HAY"


def test_the_grid_has_the_same_keys(page: Page, dataset: LabelledSet) -> None:
    dataset.open(page)
    page.get_by_role("button", name="Grid").press("Enter")
    cells = page.locator(".cells > li")
    expect(cells).to_have_count(COUNT)
    fields = cells.locator(".answer")
    names = [field.get_attribute("aria-label") for field in fields.all()]
    expect(fields.nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    expect(fields.nth(1)).to_be_focused()
    page.keyboard.type("HAT")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("ArrowDown")
    expect(fields.nth(4)).to_be_focused()
    wait_until_saved(page)
    by_place = {f"What {name} says": one for name, one in dataset.images().items()}
    states = [by_place[name]["state"] for name in names[:4] if name]
    assert states == ["confirmed", "confirmed", "unreadable", "proposed"]
    expect(page.get_by_text("27 images of them not confirmed")).to_be_visible()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    expect(fields.nth(2)).to_be_focused()
    expect(cells.nth(2)).to_have_attribute("data-state", "proposed")


def test_loose_files_become_a_dataset_and_the_next_ones_join_it(
    site: Site, page: Page, tmp_path: Path
) -> None:
    images = write_images(tmp_path / "images")
    (tmp_path / "bad.png").write_bytes(b"no image")
    page.goto(f"{site.url}/#/label")
    page.get_by_label("Name").fill("loose")
    page.get_by_label("Choose images…").set_input_files([*images[:20], tmp_path / "bad.png"])
    expect(page.get_by_text("20 images added, 1 left out.")).to_be_visible()
    page.get_by_text("1 file left out").click()
    expect(page.get_by_text("bad.png:")).to_be_visible()
    page.get_by_role("link", name="Label loose").click()
    first = made_dataset(site, page)

    page.goto(f"{site.url}/#/label")
    expect(page.get_by_role("row", name=re.compile("loose"))).to_contain_text("20")
    page.get_by_label("Name").fill("loose")
    page.get_by_label("Choose images…").set_input_files(images)
    assert made_dataset(site, page) == first
    assert len(first.images()) == COUNT
    assert first.images("confirmed") == {}


def test_a_folder_brings_its_labels_along(site: Site, page: Page, tmp_path: Path) -> None:
    write_images(tmp_path / "Shop receipts")
    long = f"{'n' * 120}.png"  # longer than a name in the header of a tar
    (tmp_path / "Shop receipts" / "0000.png").rename(tmp_path / "Shop receipts" / long)
    table = f"filename,text\n{long},HAT\n0001.png,ÄÖ\n"
    (tmp_path / "Shop receipts" / "labels.csv").write_text(table, encoding="utf-8")
    page.goto(f"{site.url}/#/label")
    page.get_by_label("Choose a folder…").set_input_files(tmp_path / "Shop receipts")
    dataset = made_dataset(site, page)
    expect(page.get_by_role("heading", level=1)).to_have_text("shop-receipts")
    assert sorted(dataset.texts().values()) == ["HAT", "ÄÖ"]
    assert len(dataset.images()) == COUNT


@pytest.mark.parametrize("labelled", [True, False])
def test_names_that_may_be_labels_are_asked_about(
    site: Site, page: Page, tmp_path: Path, labelled: bool
) -> None:
    names = texts(COUNT, "ACEFHKLMNPRTXY23479", longest=6, seed=3)
    entries = {f"{name}Q.png": data for name, data in zip(names, IMAGES.values(), strict=True)}
    assert len(entries) == COUNT
    archive = write_zip(tmp_path / "Named.zip", entries)
    page.goto(f"{site.url}/#/label")
    page.get_by_label("Choose images…").set_input_files(archive)
    expect(page.get_by_text("Do the file names say what the images do?")).to_be_visible()
    page.get_by_role("button", name="Yes" if labelled else "No").click()
    dataset = made_dataset(site, page)
    assert len(dataset.images("confirmed")) == (COUNT if labelled else 0)
    assert len(dataset.images()) == COUNT


def test_images_are_added_where_they_are_labelled(
    page: Page, dataset: LabelledSet, tmp_path: Path
) -> None:
    dataset.open(page)
    new = tmp_path / "new.png"
    new.write_bytes(image("T", seed=99))
    page.get_by_label("Add images…").set_input_files([new])
    expect(page.get_by_text("1 image added.")).to_be_visible()
    expect(page.get_by_text("31 images to go")).to_be_visible()


def test_train_begins_a_job_of_what_is_confirmed(
    site: Site, page: Page, dataset: LabelledSet
) -> None:
    dataset.open(page)
    for _ in range(COUNT):
        page.keyboard.press("Enter")
    expect(page.get_by_text("That was the last one.")).to_be_visible()
    page.get_by_role("button", name="Train").click()

    expect(page.get_by_role("heading", name="Training letters")).to_be_visible()
    assert dataset.texts() == LABELS
    request = JobRequest.model_validate(site.job(page.url.rpartition("/")[2]).request)
    assert request.model == "letters"
    assert request.dataset.id == dataset.id
    assert request.dataset.version is not None


def test_what_is_exported_comes_in_again_with_the_same_states(
    site: Site, page: Page, dataset: LabelledSet, tmp_path: Path
) -> None:
    dataset.open(page)
    press(page, "Enter")
    press(page, "Shift+Enter")
    page.keyboard.type("שלום 42")
    press(page, "Enter")
    wait_until_saved(page)
    page.locator(".menu summary").press("Enter")
    with page.expect_download() as download:
        page.get_by_role("button", name="Readsmith, with states").press("Enter")
    archive = tmp_path / "again.zip"
    download.value.save_as(archive)
    with zipfile.ZipFile(archive) as packed:
        rows = list(csv.DictReader(io.StringIO(packed.read("labels.csv").decode())))
    assert len(rows) == COUNT

    page.goto(f"{site.url}/#/label")
    page.get_by_label("Choose images…").set_input_files(archive)
    again = made_dataset(site, page)
    expect(page.get_by_role("heading", level=1)).to_have_text("again")
    kept = ("state", "text", "by", "random", "proposal")
    before, after = dataset.images(), again.images()
    assert {name: [one[key] for key in kept] for name, one in after.items()} == {
        name: [one[key] for key in kept] for name, one in before.items()
    }


def test_texts_run_in_their_own_direction(page: Page, dataset: LabelledSet) -> None:
    dataset.propose(dict.fromkeys(LABELS, "سلام 42"))
    field = dataset.open(page)
    expect(field).to_have_css("direction", "rtl")
    expect(page.locator(".neighbour bdi").first).to_have_css("direction", "rtl")
    press(page, "Enter")
    expect(page.get_by_role("button", name="س", exact=True)).to_be_visible()


def test_characters_that_occur_are_offered(page: Page, dataset: LabelledSet) -> None:
    field = dataset.open(page)
    field.fill("Ł")
    press(page, "Enter")
    page.get_by_role("button", name="Ł", exact=True).click()
    expect(field).to_have_value("Ł")
    expect(field).to_be_focused()


def test_both_views_and_the_list_are_accessible(
    page: Page, dataset: LabelledSet, require_accessible: Callable[[Page], None]
) -> None:
    dataset.propose(LABELS, estimate=ESTIMATE)
    dataset.open(page)
    press(page, "Enter")
    require_accessible(page)
    page.locator(".menu summary").click()
    require_accessible(page)
    page.get_by_role("button", name="Grid").click()
    expect(page.locator(".cells > li").first).to_be_visible()
    require_accessible(page)
    page.goto(f"{dataset.site.url}/#/label")
    expect(page.get_by_role("link", name="letters").first).to_be_visible()
    require_accessible(page)


def test_above_a_touch_keyboard_image_field_and_button_are_in_sight(
    chromium: Browser, dataset: LabelledSet
) -> None:
    context = chromium.new_context(
        viewport={"width": 390, "height": 740}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(f"{dataset.site.url}/#/label/{dataset.id}")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Begin").tap()
    page.set_viewport_size({"width": 390, "height": 400})  # what a keyboard leaves
    answer(page).tap()
    for seen in (page.locator(".shown"), answer(page), page.locator(".stage .primary")):
        expect(seen).to_be_in_viewport(ratio=1)
    name = shown(page)
    page.locator(".stage .primary").tap()
    expect(page.locator(".shown img")).not_to_have_attribute("alt", f"The image {name}")
    expect(answer(page)).to_be_focused()  # the keyboard stays
    context.close()


def test_of_twenty_thousand_images_only_those_in_sight_are_loaded(site: Site, page: Page) -> None:
    dataset = LabelledSet.create(site, "many", IMAGES)
    dataset.multiply(20_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    dataset.open(page)
    expect(page.get_by_text("20,000 images to go")).to_be_visible()
    expect(page.locator(".neighbour")).to_have_count(6)
    assert len(asked) < 80
    page.get_by_role("button", name="Grid").click()
    expect(page.locator(".cells > li")).to_have_count(48)
    page.get_by_role("button", name="Next 48").click()
    expect(page.get_by_text("Images 49 to 96")).to_be_visible()
    expect(page.locator(".cells > li")).to_have_count(48)


def test_corrections_are_found_from_the_place_of_labels(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/#/label")
    page.get_by_role("link", name="default", exact=True).click()
    expect(page.get_by_role("heading", name="Corrections of default")).to_be_visible()
    here = page.get_by_role("navigation", name="Pages").get_by_role("link", name="Labels")
    expect(here).to_have_attribute("aria-current", "page")
