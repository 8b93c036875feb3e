"""The list of jobs and a job's page."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from shared.api.jobs import JobError, Stage, TrialStatus
from tests.browser.site import REQUEST, ActingWorker, Site
from tests.support.dataset_checks import check_dataset
from tests.support.labelled_images import labelled_zip, texts
from trainer.schemas.job_request import JobRequest
from trainer.schemas.search_request import Search
from trainer.schemas.trial import TrialRecord

RequireAccessible = Callable[[Page], None]
VALUES = {"learning_rate": {"low": 0.001, "high": 0.01}, "batch_size": {"choices": [8, 16]}}
SEARCH = REQUEST.model_copy(
    update={"search": Search.model_validate({"parameters": VALUES, "trials": 3, "max_minutes": 5})}
)


@pytest.fixture
def job(site: Site) -> str:
    """The id of a job that waits."""
    return site.post()


@pytest.fixture
def run(site: Site, job: str) -> ActingWorker:
    """The job once it is taken up."""
    return site.take()


def test_a_job_is_followed_to_its_version_without_a_reload(
    site: Site, page: Page, job: str, tmp_path: Path, require_accessible: RequireAccessible
) -> None:
    page.goto(f"{site.url}/#/jobs/{job}")
    expect(page.get_by_role("heading", name="Waiting")).to_be_visible()
    expect(page.get_by_text("No worker is running, so jobs wait.")).to_be_visible()

    run = site.take()
    run.observer.stage(Stage.DATASET)
    images = labelled_zip(tmp_path / "set.zip", texts(30))
    run.observer.summary(check_dataset(images, JobRequest()))
    chosen = {"epochs": {"value": 20, "reason": "few images"}}
    run.observer.event("settings", "Chosen: epochs 20 (few images).", chosen)
    run.train(epochs=3)
    expect(page.get_by_text("Training, epoch 3 of 20, about 2 minutes left")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_js_property("value", 3)
    expect(page.get_by_role("img", name="Exact match. After epoch 3, 15.0 %")).to_be_visible()
    expect(page.get_by_role("img", name="Loss. After epoch 3, 0.333 in training")).to_be_visible()
    expect(page.get_by_text("few images")).to_be_visible()
    require_accessible(page)

    run.succeed(tmp_path / "build")
    expect(page.get_by_role("heading", name="Version 1 is published")).to_be_visible()
    expect(page.get_by_text("It is served now.")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    require_accessible(page)
    link = page.get_by_role("link", name="See its report")
    expect(link).to_have_attribute("href", "#/models/plates/1")


def test_what_happens_to_a_job_is_said_aloud(site: Site, page: Page, job: str) -> None:
    page.goto(f"{site.url}/#/jobs/{job}")
    expect(page.get_by_role("heading", name="Waiting")).to_be_visible()
    run = site.take()
    expect(page.get_by_role("status")).to_have_text("The job runs.")
    run.observer.stage(Stage.EVALUATE)
    expect(page.get_by_role("status")).to_have_text("Measuring…")
    run.cancelled()
    expect(page.get_by_role("status")).to_have_text("The job was cancelled.")


def test_the_trials_of_a_search_are_a_table_that_grows(
    site: Site, page: Page, tmp_path: Path, require_accessible: RequireAccessible
) -> None:
    job = site.post(SEARCH)
    run = site.take()
    run.observer.stage(Stage.TRAIN)
    first = TrialRecord(number=1, parameters={"learning_rate": 0.0012345, "batch_size": 8})
    run.observer.trial(first)
    page.goto(f"{site.url}/#/jobs/{job}")
    expect(page.get_by_text("At most 3 trials and 5 minutes")).to_be_visible()
    rows = page.get_by_role("table", name="Trials of the search").get_by_role("row")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("learning rate 0.00123, batch size 8")
    run.epoch(2)
    expect(page.get_by_text("Training, trial 1, epoch 2 of 20")).to_be_visible()

    figures = {"exact_match": 0.9, "cer": 0.02, "loss": 0.1, "epochs": 20, "seconds": 75.0}
    first = first.model_copy(update={"status": TrialStatus.FINISHED, **figures})
    run.observer.trial(first)
    expect(page.get_by_role("status")).to_have_text("Trial 1 is finished: 90.0 % correct.")
    expect(rows.nth(1)).to_contain_text("finishedbest90.0 %2.0 %201 min 15 s")
    better = {"number": 2, "cer": 0.01}
    run.observer.trial(first.model_copy(update=better))
    expect(rows.nth(2)).to_contain_text("best")
    expect(rows.nth(1)).not_to_contain_text("best")
    failed = {"number": 3, "status": TrialStatus.FAILED, "error": "<b>Memory ran out.</b>"}
    run.observer.trial(first.model_copy(update=failed))
    expect(rows.nth(3)).to_contain_text("<b>Memory ran out.</b>")
    require_accessible(page)
    run.succeed(tmp_path / "build")
    expect(page.get_by_role("img", name="Exact match.")).to_have_count(0)


def test_a_chart_has_its_numbers_in_a_table_that_grows(
    site: Site, page: Page, job: str, run: ActingWorker
) -> None:
    run.train(epochs=2)
    page.goto(f"{site.url}/#/jobs/{job}")
    page.get_by_text("Numbers").first.click()
    rows = page.get_by_role("region", name="Exact match, numbers").get_by_role("row")
    expect(rows).to_have_text([re.compile("epoch"), "15.0 %", "210.0 %"])

    run.epoch(3)
    expect(rows).to_have_count(4)
    run.cancelled()


def test_a_training_is_finished_early(
    site: Site, page: Page, job: str, run: ActingWorker, require_accessible: RequireAccessible
) -> None:
    finish = page.get_by_role("button", name="Finish now")
    page.goto(f"{site.url}/#/jobs/{job}")
    run.observer.stage(Stage.DATASET)
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(finish).to_have_count(0)
    run.train(epochs=0)
    run.observer.estimate(180)
    expect(page.get_by_text("Training, about 3 minutes left")).to_be_visible()
    require_accessible(page)
    finish.click()
    expect(page.get_by_role("status")).to_have_text("The job is asked to finish.")
    expect(finish).to_have_count(0)
    run.observer.checkpoint()
    assert run.observer.finishing()
    run.cancelled()


def test_a_job_is_cancelled_and_started_again(
    site: Site, page: Page, job: str, run: ActingWorker
) -> None:
    run.train(epochs=1)
    page.goto(f"{site.url}/#/jobs/{job}")

    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_have_text("The job is asked to stop.")
    run.cancelled()
    expect(page.get_by_text("This job was cancelled; it published nothing.")).to_be_visible()

    page.get_by_role("button", name="Start it again").click()
    expect(page.get_by_role("heading", name="Waiting")).to_be_visible()
    assert job not in page.url
    site.take().cancelled()


def test_a_failed_job_says_why_and_what_to_do(
    site: Site, page: Page, job: str, run: ActingWorker, require_accessible: RequireAccessible
) -> None:
    run.fail(JobError(code="dataset_not_a_zip", message="This is no zip.", hint="Send a zip."))
    page.goto(f"{site.url}/#/jobs/{job}")

    expect(page.get_by_role("alert")).to_have_text("This is no zip.Send a zip.")
    require_accessible(page)


def test_what_others_wrote_is_shown_as_text(
    site: Site, page: Page, job: str, run: ActingWorker
) -> None:
    run.fail(JobError(code="x", message="<img src=x onerror=alert(1)><b>No</b>"))
    page.goto(f"{site.url}/#/jobs/{job}")

    expect(page.get_by_role("alert")).to_have_text("<img src=x onerror=alert(1)><b>No</b>")


def test_an_unknown_job_is_named_in_plain_words(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/#/jobs/job-0")

    expect(page.get_by_role("alert")).to_contain_text("There is no job job-0.")


def test_the_list_shows_every_job_live(
    site: Site, page: Page, job: str, require_accessible: RequireAccessible
) -> None:
    page.goto(site.url)
    row = page.get_by_role("row").filter(has=page.locator(f'[href="#/jobs/{job}"]'))
    expect(row).to_contain_text("Waiting for its turn")
    page.locator(f'[href="#/jobs/{job}"]').focus()

    run = site.take()
    run.train(epochs=1)
    expect(row).to_contain_text("Training, epoch 1 of 20")
    expect(page.locator(f'[href="#/jobs/{job}"]')).to_be_focused()
    run.fail(JobError(code="did_not_learn", message="Nothing was learned."))
    expect(row).to_contain_text("Nothing was learned.")
    require_accessible(page)


def test_older_jobs_are_shown_on_demand(site: Site, page: Page) -> None:
    jobs = [site.post() for _ in range(23)]
    page.goto(site.url)
    expect(page.get_by_role("row")).to_have_count(1 + 20)

    page.get_by_role("button", name="Show older jobs").click()
    expect(page.locator(f'[href="#/jobs/{jobs[0]}"]')).to_be_visible()
    for _ in jobs:
        site.take().cancelled()


def test_a_service_that_is_away_is_said_and_its_return_is_noticed(site: Site, page: Page) -> None:
    page.goto(site.url)
    expect(page.get_by_role("heading", name="All jobs")).to_be_visible()

    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("Readsmith does not answer.")
    page.context.set_offline(False)
    expect(page.get_by_role("alert")).to_have_count(0)
