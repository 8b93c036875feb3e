"""The pages of models: their versions, what is served, and two versions side by side."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from shared.store.manifest import Manifest
from shared.store.store import ModelStore
from tests.browser.site import Site
from tests.support.models.reports import publish_with_report

RequireAccessible = Callable[[Page], None]


@pytest.fixture
def store(site: Site) -> ModelStore:
    return ModelStore(site.settings.store)


@pytest.fixture
def model(store: ModelStore, tmp_path: Path) -> str:
    """A model of two versions, the second served, named after the test's folder."""
    name = f"m-{tmp_path.name[-40:].lower().strip('_')}"

    def propose(manifest: Manifest) -> Manifest:
        return manifest.model_copy(update={"proposed_pattern": "[abc]{1,3}"})

    publish_with_report(store, tmp_path / "one", name, [("abc", "abc"), ("ab", "aa")])
    publish_with_report(store, tmp_path / "two", name, [("abc", "abc"), ("c", "c")], change=propose)
    return name


def test_all_models_are_listed(
    site: Site, page: Page, model: str, require_accessible: RequireAccessible
) -> None:
    page.goto(f"{site.url}/#/models")
    row = page.get_by_role("row").filter(has_text=model)
    expect(row).to_contain_text("version 2")
    expect(row).to_contain_text("100.0 %")
    require_accessible(page)

    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(model)


def test_a_model_is_made_the_default_and_gets_a_star(
    site: Site, page: Page, model: str, store: ModelStore, require_accessible: RequireAccessible
) -> None:
    page.goto(f"{site.url}/#/models/{model}")
    page.get_by_role("button", name="Make it the default").click()
    expect(page.get_by_role("heading", level=1).get_by_role("img", name="default")).to_be_visible()
    expect(page.get_by_role("button", name="Make it the default")).to_be_hidden()
    assert store.default() == model
    require_accessible(page)
    page.goto(f"{site.url}/#/models")
    row = page.get_by_role("row").filter(has_text=model)
    expect(row.get_by_role("img", name="default")).to_be_visible()
    require_accessible(page)
    store.set_default(None)


def test_another_version_is_served_and_the_change_taken_back(
    site: Site, page: Page, model: str, store: ModelStore, require_accessible: RequireAccessible
) -> None:
    page.goto(f"{site.url}/#/models/{model}")
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("served")
    expect(rows.nth(1)).to_contain_text("44.0 % to 100.0 %, 3 held out")
    require_accessible(page)

    page.get_by_role("button", name="Serve version 1").click()
    expect(rows.nth(2)).to_contain_text("served")
    expect(page.get_by_role("status")).to_have_text(f"Version 1 of {model} is served now.")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert store.current(model) == 1

    page.get_by_role("button", name="Back to version 2").click()
    expect(rows.nth(1)).to_contain_text("served")
    assert store.current(model) == 2


def test_a_proposed_pattern_is_taken_changed_and_dropped(
    site: Site, page: Page, model: str, store: ModelStore
) -> None:
    page.goto(f"{site.url}/#/models/{model}")
    page.get_by_role("button", name="Take [abc]{1,3}").click()
    field = page.get_by_label("What predictions must fit")
    expect(field).to_have_value("[abc]{1,3}")
    assert store.settings(model).pattern == "[abc]{1,3}"

    field.fill("[abc")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    field.fill("")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("Predictions may be anything.")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert store.settings(model).pattern is None


def test_known_texts_are_set_with_their_threshold_changed_and_dropped(
    site: Site, page: Page, model: str, store: ModelStore, require_accessible: RequireAccessible
) -> None:
    page.goto(f"{site.url}/#/models/{model}")
    texts, rule = page.get_by_label("All texts that may come"), page.get_by_label("Check digit")
    texts.fill("abc\n\n  ca \nabc\n")
    page.get_by_label("Reject below").fill("0.9")
    page.get_by_role("button", name="Save known texts").click()
    expect(page.get_by_role("status")).to_have_text("Predictions must be one of 2 texts.")
    expect(texts).to_have_value("abc\nca")
    expect(page.get_by_label("Reject below")).to_have_value("0.9")
    settings = store.settings(model)
    assert (settings.allowed, settings.check_digit) == (("abc", "ca"), None)
    assert settings.allowed_threshold == 0.9
    require_accessible(page)

    texts.fill("abc\n" + "x" * 201)
    page.get_by_role("button", name="Save known texts").click()
    expect(page.get_by_role("alert")).to_contain_text("200")
    assert store.settings(model).allowed == ("abc", "ca")

    page.get_by_role("button", name="Allow any text").click()
    expect(page.get_by_role("status")).to_have_text("Predictions may be any text.")
    expect(texts).to_have_value("")
    assert store.settings(model).allowed is None
    expect(page.get_by_role("button", name="Allow any text")).to_have_count(0)

    rule.select_option("luhn")
    page.get_by_role("button", name="Save known texts").click()
    expect(page.get_by_role("status")).to_have_text(
        "Predictions must be any text with a right check digit (luhn)."
    )
    expect(rule).to_have_value("luhn")
    assert store.settings(model).check_digit == "luhn"


def test_files_and_report_are_downloaded(site: Site, page: Page, model: str) -> None:
    page.goto(f"{site.url}/#/models/{model}")
    page.get_by_label("Download version 1").click()
    for button, name in (
        ("Keras model (h5)", "prediction_model.h5"),
        ("ONNX model", "prediction_model.onnx"),
        ("Report (zip)", "report.zip"),
    ):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).and_(page.locator(":visible")).click()
        assert download.value.suggested_filename == f"{model}-1-{name}"
    assert "metrics.json" in zipfile.ZipFile(download.value.path()).namelist()


def test_two_versions_are_compared_image_by_image(
    site: Site, page: Page, store: ModelStore, tmp_path: Path, require_accessible: RequireAccessible
) -> None:
    tested = [("abc", "abc"), ("ab", "aa")]
    publish_with_report(store, tmp_path / "one", "compared", tested)
    publish_with_report(store, tmp_path / "two", "compared", tested, characters="cba")
    page.goto(f"{site.url}/#/models/compared")
    page.get_by_role("button", name="Compare").click()

    expect(page.get_by_role("heading", level=1)).to_have_text(
        "compared: version 1 beside version 2"
    )
    expect(page.get_by_text("Only version 1 correct").locator("..")).to_contain_text("1")
    shown = page.get_by_role("listitem").filter(has=page.get_by_role("img"))
    expect(shown).to_have_count(2)
    expect(shown.filter(has_text="Labelabc")).to_contain_text("Version 1abc correct")
    expect(shown.filter(has_text="Labelabc")).to_contain_text("Version 2cba wrong")
    require_accessible(page)

    page.get_by_label("Show images").select_option("wrong in either")
    expect(page.get_by_text("2 of 2 images", exact=True)).to_be_visible()


def test_a_model_that_is_not_there_is_said(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/#/models/nothing")

    expect(page.get_by_role("alert")).to_contain_text("nothing")
