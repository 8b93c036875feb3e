"""Makes the images of the documentation: `make screenshots` (some minutes; trains a model)."""

import csv
import io
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import CHROMIUM
from tests.browser.labelled_set import answer, shown
from tests.browser.site import wait_for_images
from tests.support.paths import ROOT
from tests.support.services import services
from tests.support.services.workers import start_worker
from trainer.pipeline.downloads.synthetic import draw_dataset
from trainer.schemas.job_request import Synthetic
from trainer.settings import Settings

FOLDER = ROOT / "docs" / "images"
IMAGES = 300
WRONG_LABELS = 5
CONFIRMED = 26
MILLISECONDS = 1_800_000
COLOURS = 128
LONGEST = 1600
"""Pixels; what comes further down on a page is seen in the dashboard."""


def main() -> None:
    """Go through the dashboard as a visitor would, and keep what it shows."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as url:
        images = draw_images(Path(folder))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1000, "height": 700})
            page.set_default_timeout(MILLISECONDS)
            expect.set_options(timeout=MILLISECONDS)
            label(page, url, images)
            visit(page, url, images)
            browser.close()


def label(page: Page, url: str, images: Path) -> None:
    """Take the images without their labels, and confirm until there is an estimate."""
    folder = images.parent / "captchas"
    with zipfile.ZipFile(images) as archive:
        archive.extractall(folder)
    table = folder / "labels.csv"
    texts = {row["filename"]: row["text"] for row in csv.DictReader(table.open(encoding="utf-8"))}
    table.unlink()
    page.goto(f"{url}/#/label")
    page.get_by_label("Choose a folder…").set_input_files(folder)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Begin").click()
    estimate = page.get_by_text("Estimated accuracy on the rest")
    for _ in range(CONFIRMED):
        answer(page).fill(texts[shown(page).removeprefix("captchas/")])
        page.keyboard.press("Enter")
        page.wait_for_timeout(500)
    expect(estimate).to_be_visible()
    expect(page.get_by_text("Learning", exact=True)).to_be_hidden()
    expect(page.get_by_text("New proposals")).to_be_hidden()
    keep(page, "label")


def visit(page: Page, url: str, images: Path) -> None:
    """Drop a zip, train, look at the report, try an image."""
    page.goto(url)
    page.get_by_label("Choose a zip…").set_input_files(images)
    expect(page.get_by_role("button", name="Start training")).to_be_visible()
    keep(page, "dataset")

    page.get_by_label("Model", exact=True).fill("captcha")
    page.get_by_text("More settings").click()
    page.get_by_label("Epochs").fill("16")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("Training, epoch 12 of")).to_be_visible()
    keep(page, "job")

    page.get_by_role("link", name="See its report").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("captcha")
    page.wait_for_load_state("networkidle")
    keep(page, "report")

    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Try it").click()
    expect(page.get_by_label("Model")).to_have_value("captcha")
    with zipfile.ZipFile(images) as archive:
        page.locator("input[type=file]").first.set_input_files(
            {"name": "captcha.png", "mimeType": "image/png", "buffer": archive.read("000001.png")}
        )
    expect(page.get_by_text("with the way there and back")).to_be_visible()
    keep(page, "try")


def keep(page: Page, name: str) -> None:
    """Write the upper part of the page as docs/images/<name>.png, in few colours."""
    wait_for_images(page)
    expect(page.locator("#status")).to_be_empty()  # it lies over the page
    shown = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    FOLDER.mkdir(parents=True, exist_ok=True)
    upper = shown.convert("RGB").crop((0, 0, shown.width, min(shown.height, LONGEST)))
    upper.quantize(COLOURS).save(FOLDER / f"{name}.png", optimize=True)


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run trainer, worker and predictor; yields where the dashboard is."""
    port = services.free_port()
    predictor_url = f"http://127.0.0.1:{port}"
    settings = Settings(store=folder / "models", state=folder / "state")
    with (
        services.trainer(folder, READSMITH_PREDICTOR_URL=predictor_url) as trainer,
        services.predictor(folder, port),
        start_worker(settings, ["-m", "trainer.workers.job_process"]) as worker,
    ):
        try:
            yield trainer.url
        finally:
            worker.terminate()


def draw_images(folder: Path) -> Path:
    """Draw a set in which a few labels are wrong."""
    drawn, mislabelled = folder / "drawn.zip", folder / "captchas.zip"
    draw_dataset(Synthetic(images=IMAGES), drawn)
    with zipfile.ZipFile(drawn) as source, zipfile.ZipFile(mislabelled, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, mislabel(data) if name == "labels.csv" else data)
    return mislabelled


def mislabel(table: bytes) -> bytes:
    """Exchange two characters in a few labels."""
    rows = list(csv.reader(io.StringIO(table.decode())))
    for row in rows[10 :: IMAGES // WRONG_LABELS]:
        text = row[1]
        row[1] = text[1] + text[0] + text[2:]
    return "\n".join(",".join(row) for row in rows).encode()


if __name__ == "__main__":
    main()
