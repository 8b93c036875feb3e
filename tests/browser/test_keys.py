"""The key dialog, where the trainer has keys."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from shared.access.tokens import Scope
from tests.support.api.keys import bearer
from tests.support.services import services


class Closed(NamedTuple):
    """A trainer that asks for keys, and one that it takes."""

    url: str
    key: str


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    folder = tmp_path_factory.mktemp("closed")
    keys = folder / "keys.json"
    key = bearer(keys, "me", Scope.TRAIN)["Authorization"].removeprefix("Bearer ")
    with services.trainer(folder, READSMITH_KEYS=str(keys)) as trainer:
        yield Closed(trainer.url, key)


def test_a_key_is_asked_for_kept_for_the_tab_and_can_be_forgotten(
    closed: Closed, page: Page
) -> None:
    page.goto(closed.url)
    dialog = page.get_by_role("dialog", name="This service asks for a key")
    expect(dialog).to_contain_text("This request carries no API key.")
    page.get_by_label("API key").fill("rs_wrong")
    page.get_by_role("button", name="Use this key").click()
    expect(dialog).to_contain_text("This API key is not known, or has been revoked.")
    page.get_by_label("API key").fill(closed.key)
    page.keyboard.press("Enter")
    expect(page.get_by_text("No jobs yet")).to_be_visible()

    page.reload()
    expect(page.get_by_text("No jobs yet")).to_be_visible()
    expect(dialog).not_to_be_visible()
    assert page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
    assert closed.key not in page.url

    page.get_by_role("button", name="Forget key").click()
    expect(dialog).to_be_visible()


def test_who_gives_no_key_is_told_what_is_missing(closed: Closed, page: Page) -> None:
    page.goto(closed.url)
    page.get_by_role("button", name="Not now").click()

    expect(page.get_by_role("alert")).to_contain_text("This request carries no API key.")
    with page.expect_response("**/jobs?*") as again:
        pass  # the list goes on asking, the dialog does not
    assert again.value.status == 401
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Enter key").click()
    expect(page.get_by_role("dialog")).to_be_visible()
