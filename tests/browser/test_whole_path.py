"""From a dropped zip to a corrected prediction that the next version gets right, in the browser."""

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.browser.test_new_job import drop
from tests.support.labelled_images import SIZE, image, texts, write_zip
from tests.support.services import services
from tests.support.services.workers import start_worker

MODEL = "quick"
WRONG = "0005.png"
CORRECTED = 6
MILLISECONDS = 600_000


@pytest.fixture
def running(site: Site) -> Iterator[Site]:
    """The site with a worker that trains, and a predictor."""
    folder = Path(site.settings.store).parent
    with (
        services.predictor(folder, port=site.predictor_port),
        start_worker(site.settings, ["-m", "trainer.workers.job_process"]) as worker,
    ):
        yield site
        worker.terminate()


def test_what_was_read_wrong_is_corrected_and_the_next_version_reads_it_right(
    running: Site, page: Page, tmp_path: Path
) -> None:
    labels = texts(100)  # of A, H and X: the first version knows no T
    page.goto(running.url)
    drop(page, mislabelled_zip(tmp_path, labels))
    page.get_by_label("Model", exact=True).fill(MODEL)
    page.get_by_text("More settings").press("Enter")
    page.get_by_label("Epochs").fill("14")
    page.get_by_role("button", name="Start training").click()
    wait_for_version(page, 1)

    images = [tmp_path / f"t{seed}.png" for seed in range(CORRECTED)]
    for seed, file in enumerate(images):
        file.write_bytes(image("T", seed=seed))
    try_images(running, page, images, version=1)
    for file in images:
        card = page.get_by_role("region", name=file.name)
        expect(card.locator(".prediction, .notice")).not_to_have_text("T")
        card.get_by_text("Not right? Correct it").click()
        card.get_by_label("What it says").fill("T")
        card.get_by_role("button", name="Store").click()
        expect(card.get_by_text("Stored among")).to_be_visible()

    page.goto(f"{running.url}/#/corrections/{MODEL}")
    stored = page.get_by_role("region", name="Stored")
    expect(stored.get_by_role("textbox")).to_have_count(CORRECTED)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
        assert [row["text"] for row in rows] == ["T"] * CORRECTED

    page.goto(f"{running.url}/#/models/{MODEL}/1")
    page.get_by_label(f"Right label of {WRONG}").fill(labels[5])
    expect(page.get_by_label(f"with the {CORRECTED} corrections of {MODEL}")).to_be_checked()
    page.get_by_role("button", name="Train again with these corrections").click()
    wait_for_version(page, 2)

    mended = tmp_path / WRONG
    mended.write_bytes(image(labels[5], SIZE, 5))
    try_images(running, page, [mended, *images], version=2)
    predictions = {
        file: page.get_by_role("region", name=file.name)
        .locator(".prediction, .notice")
        .text_content()
        for file in (mended, *images)
    }
    assert predictions[mended] == labels[5]
    assert list(predictions.values()).count("T") >= CORRECTED - 1


def mislabelled_zip(folder: Path, labels: list[str]) -> Path:
    """Write the set; one image bears a label that is not its own."""
    told = [*labels[:5], "AA" if labels[5] != "AA" else "HH", *labels[6:]]
    rows = [f"{i:04}.png,{text}" for i, text in enumerate(told)]
    files = {f"{i:04}.png": image(text, SIZE, i) for i, text in enumerate(labels)}
    table = {"labels.csv": "\n".join(["filename,text", *rows]).encode()}
    return write_zip(folder / "set.zip", files | table)


def wait_for_version(page: Page, version: int) -> None:
    """Wait on the page of a job until it has published this version, which is served."""
    published = page.get_by_role("heading", name=f"Version {version} is published")
    failed = page.get_by_role("alert")
    expect(published.or_(failed)).to_be_visible(timeout=MILLISECONDS)
    expect(failed).to_have_count(0)
    expect(page.get_by_text("It is served now.")).to_be_visible()


def try_images(site: Site, page: Page, files: list[Path], version: int) -> None:
    """Have the predictor read images, once it has taken this version up."""
    page.goto(f"{site.url}/#/try")
    page.reload()
    served = page.get_by_role("option", name="starter")
    expect(served).to_be_attached()
    while not page.get_by_role("option", name=f"{MODEL}, version {version}").count():
        page.reload()
        expect(served).to_be_attached()
    page.get_by_label("Model").select_option(MODEL)
    page.get_by_label("Choose images…").set_input_files(files)
    expect(page.get_by_text("with the way there and back")).to_have_count(len(files))
