"""The dashboard in real headless Chromium, before real services."""

import os
import shutil
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.site import Site
from tests.support.services import services
from trainer.database.tables import Database
from trainer.settings import Settings

CHROMIUM = os.environ.get("READSMITH_TEST_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
TIMEOUT = 60_000
"""Milliseconds after which a page shows no more what it should; far more than it needs."""
SIZE = (1100, 900)
PHONE = (360, 740)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    predictor_port = services.free_port()
    predictor_url = f"http://127.0.0.1:{predictor_port}"
    environment = {
        "READSMITH_PREDICTOR_URL": predictor_url,
        "READSMITH_DOWNLOAD_ALLOW": "127.0.0.2",  # where tests serve files of their own
    }
    with services.trainer(folder, None, **environment) as trainer:
        settings = Settings(store=folder / "models", state=folder / "state")
        database = Database(settings.jobs_database)
        yield Site(trainer.url, settings, database, predictor_port)
        database.close()


@pytest.fixture(scope="module")  # Playwright's event loop would be in the way of other tests
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here; READSMITH_TEST_CHROMIUM may name one")
    with sync_playwright() as playwright:
        expect.set_options(timeout=TIMEOUT)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A tab that lets no fault of the page pass: no error in scripts, no request elsewhere."""
    context = chromium.new_context(viewport={"width": SIZE[0], "height": SIZE[1]})
    context.set_default_timeout(TIMEOUT)
    page = context.new_page()
    faults: list[str] = []
    hosts: set[str] = set()

    def note(message: ConsoleMessage) -> None:
        # Chromium itself reports every answer that is not 2xx: tests ask for such ones, too.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            faults.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    yield page
    context.close()
    assert faults == []
    hosts.discard("")  # of an image in memory
    assert len(hosts) <= 1, f"the page asked {hosts}"


@pytest.fixture
def require_accessible() -> Callable[[Page], None]:
    """Check a page with axe, in light and dark, and that a phone shows it without scrolling."""

    def require(page: Page) -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = [
                f"{scheme}: {violation['impact']}: {violation['help']}: {node['html']}"
                for violation in Axe().run(page)["violations"]
                if violation["impact"] in ("serious", "critical")
                for node in violation["nodes"]
            ]
            assert found == []
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        page.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})

    return require
