"""The pages that describe the two services, without any other host."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.support.services import services


def test_the_trainers_page_shows_and_tries_every_route(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/docs")
    expect(page.get_by_role("heading", name="Readsmith trainer")).to_be_visible()
    route = page.locator(".opblock", has_text="/healthz").first
    route.locator(".opblock-summary-control").click()
    route.get_by_role("button", name="Try it out").click()
    route.get_by_role("button", name="Execute").click()
    expect(route.locator(".live-responses-table .response-col_status").last).to_contain_text("200")


def test_the_predictors_page_is_shown_in_its_style(page: Page, tmp_path: Path) -> None:
    with services.predictor(tmp_path) as predictor:
        page.goto(f"{predictor.url}/docs")
        expect(page.get_by_role("heading", name="POST /predict")).to_be_visible()
        border = "getComputedStyle(document.querySelector('td')).borderTopStyle"
        assert page.evaluate(border) == "solid"
