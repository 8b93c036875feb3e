"""A version's page: its report, and labels put right from it."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from shared.store.manifest import Manifest
from shared.store.store import ModelStore
from tests.browser.images import expect_images
from tests.browser.site import Site
from tests.support.labelled_images import labelled_zip, texts
from tests.support.models.bundles import calibration
from tests.support.models.reports import publish_with_report
from trainer.schemas.job_request import JobRequest

SUSPECTS = {"0000.png": ("ab", "ac"), "0001.png": ("b", "bb")}


@pytest.fixture
def reported(site: Site, page: Page, tmp_path: Path) -> Page:
    """The page of a version whose job trained on a zip that was sent."""
    zipped = labelled_zip(tmp_path / "set.zip", texts(10))
    with zipped.open("rb") as file:
        dataset = httpx.post(f"{site.url}/datasets", files={"file": file}).json()
    request = {"dataset": {"id": dataset["id"]}, "model": "reported", "seed": 7}
    job = httpx.post(f"{site.url}/jobs", json=request).json()["id"]
    site.take().cancelled()
    store = ModelStore(site.settings.store)
    version = publish_with_report(
        store, tmp_path / "build", "reported", suspects=SUSPECTS, job_id=job, change=calibrated
    ).version
    page.goto(f"{site.url}/#/models/reported/{version}")
    return page


def calibrated(manifest: Manifest) -> Manifest:
    """Add what thresholds give."""
    return manifest.model_copy(update={"calibration": calibration()})


def labelled(page: Page, truth: str) -> Locator:
    """The choices for the image with this label."""
    return page.get_by_role("group").filter(has_text=f"labelled {truth},")


def test_a_report_shows_what_is_read_wrong_and_where(
    reported: Page, require_accessible: Callable[[Page], None]
) -> None:
    expect(reported.get_by_text("44.0 % to 100.0 %, 3 held out")).to_be_visible()
    expect(labelled(reported, "ab").last).to_contain_text("labelled ab, read as aa 75.0 %")
    confusions = reported.get_by_role("region", name="Confusions")
    expect(confusions.get_by_role("row")).to_have_text(["Label saysRead asTimes", "ba1"])
    by_character = reported.get_by_role("region", name="By character")
    expect(by_character.get_by_role("row").nth(1)).to_contain_text("b50.0 %1 of 2")
    by_length = reported.get_by_role("region", name="By length")
    expect(by_length.get_by_role("row").nth(2)).to_contain_text("20.0 %0 of 1")
    expect(reported.get_by_role("region", name="Thresholds")).to_contain_text("at most 49.0 %")
    expect_images(reported.get_by_role("main"), 3)
    require_accessible(reported)


def test_labels_are_put_right_or_left_out_and_trained_again(
    site: Site, reported: Page, require_accessible: Callable[[Page], None]
) -> None:
    expect(reported.get_by_role("button", name="Train again")).to_have_count(0)
    wrong = labelled(reported, "ab").first
    wrong.get_by_label("Right label of 0000.png").fill("ad ")
    expect(wrong.get_by_label("It says", exact=True)).to_be_checked()
    labelled(reported, "b").get_by_label("Leave it out").check()
    expect(reported.get_by_text("2 labels changed.")).to_be_visible()
    held_out = labelled(reported, "ab").last
    held_out.get_by_label("It says", exact=True).check()
    expect(reported.get_by_text("3 labels changed.")).to_be_visible()
    held_out.get_by_label("Keep ab").check()
    expect(reported.get_by_text("2 labels changed.")).to_be_visible()
    require_accessible(reported)

    reported.get_by_role("button", name="Train again with these corrections").click()
    expect(reported.get_by_role("heading", name="Waiting")).to_be_visible()
    request = JobRequest.model_validate(site.job(reported.url.rpartition("/")[2]).request)
    assert request.relabel == {"0000.png": "ad", "0001.png": None}
    assert (request.model, request.seed) == ("reported", 7)
    site.take().cancelled()


def test_a_version_from_elsewhere_says_what_is_not_known_of_it(
    site: Site, page: Page, tmp_path: Path
) -> None:
    publish_with_report(ModelStore(site.settings.store), tmp_path, "foreign")
    page.goto(f"{site.url}/#/models/foreign/1")

    labelled(page, "ab").get_by_label("Leave it out").check()
    expect(page.get_by_text("The job that made this version is not known here")).to_be_visible()
    expect(page.get_by_role("button", name="Train again")).to_have_count(0)


def test_texts_from_right_to_left_stand_as_they_are_read(
    site: Site, page: Page, tmp_path: Path
) -> None:
    store = ModelStore(site.settings.store)
    suspects = {"0000.png": ("שלום 12", "שלוס 12")}
    name, tested = "hebrew", [("abc", "abc")]
    version = publish_with_report(store, tmp_path / "build", name, tested, suspects).version
    page.goto(f"{site.url}/#/models/{name}/{version}")
    suspected = labelled(page, "שלום 12")
    for text in ("שלום 12", "שלוס 12"):
        expect(suspected.get_by_text(text, exact=True).first).to_have_css("direction", "rtl")
    expect(suspected.get_by_label("Right label of 0000.png")).to_have_css("direction", "rtl")
    # The sentence around them keeps its own.
    expect(suspected).to_have_css("direction", "ltr")
