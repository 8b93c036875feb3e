"""A living dataset before a running trainer, and who acts as its learner."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import insert

from shared.api.labelling import Estimate
from tests.browser.site import Site
from tests.support.services.services import TIMEOUT
from trainer.database.datasets.labelled import LabelledDatasets
from trainer.database.tables import dataset_images
from trainer.schemas.labelling import Proposal

IN_A_REQUEST = 64
UNSENT = "Object.keys(localStorage).filter((key) => key.startsWith('readsmith-unsent')).length"
NAME = "Ada"


@dataclass(frozen=True)
class LabelledSet:
    """A dataset as others see it while a page shows it."""

    site: Site
    id: str

    @classmethod
    def create(cls, site: Site, name: str, images: Mapping[str, bytes]) -> "LabelledSet":
        """Make a living dataset of images by their names."""
        made = requests.post(f"{site.url}/datasets", json={"name": name}, timeout=60)
        dataset = cls(site, made.json()["id"])
        files = [("image", item) for item in images.items()]
        for start in range(0, len(files), IN_A_REQUEST):
            added = dataset.ask("POST", "/images", files=files[start : start + IN_A_REQUEST])
            assert added["rejected"] == []
        return dataset

    def ask(self, method: str, path: str = "", **content: Any) -> Any:
        """Ask the trainer about this dataset; returns the answer's JSON."""
        address = f"{self.site.url}/datasets/{self.id}{path}"
        answer = requests.request(method, address, timeout=60, **content)
        assert answer.ok, answer.text
        return answer.json()

    def images(self, *states: str) -> dict[str, dict[str, Any]]:
        """Return the images in these states, or all, by their names."""
        asked = {"limit": "1000", "state": list(states)}
        return {one["name"]: one for one in self.ask("GET", "/images", params=asked)["data"]}

    def texts(self) -> dict[str, str]:
        """Return the confirmed texts by the names of the images."""
        return {name: one["text"] for name, one in self.images("confirmed").items()}

    def confirm(self, name: str, text: str, by: str) -> None:
        """Confirm an image as somebody else would."""
        image = self.images()[name]
        change = {"id": image["id"], "version": image["version"]}
        label = {**change, "state": "confirmed", "text": text}
        self.ask("PUT", "/labels", json={"labels": [label], "by": by})

    def propose(
        self,
        texts: Mapping[str, str],
        *,
        confidence: float = 0.9,
        estimate: Estimate | None = None,
        suspected: Sequence[str] = (),
    ) -> None:
        """Propose texts for images by their names, as a learning would."""
        files = self.site.settings.open_shared_files()
        learner = LabelledDatasets(self.site.database, files)
        known = learner.images_for_learning(self.id)
        proposals = [
            Proposal(
                image_id=image.id,
                text=texts[image.name],
                confidence=confidence,
                score=1 - number / len(known.images),
                proposed_by="learning",
                suspected=image.name in suspected,
                label=image.text if image.name in suspected else None,
            )
            for number, image in enumerate(known.images)
            if image.name in texts
        ]
        learner.propose(self.id, known.version, proposals, estimate)

    def multiply(self, count: int) -> None:
        """Have so many images, most of them with no more than a row."""
        missing = count - len(self.images())
        rows = [
            {
                "id": f"image-{number:032x}",
                "dataset_id": self.id,
                "name": f"more/{number}.png",
                "sha256": hashlib.sha256(str(number).encode()).hexdigest(),
                "ending": "png",
                "width": 64,
                "height": 32,
                "bytes": 100,
            }
            for number in range(missing)
        ]
        with self.site.database.writing.begin() as connection:
            connection.execute(insert(dataset_images), rows)

    def open(self, page: Page, name: str = NAME) -> Locator:
        """Open its page, say who labels where that is asked; returns the field of the answer."""
        page.goto(f"{self.site.url}/#/label/{self.id}")
        asked = page.get_by_label("Your name")
        field = answer(page)
        expect(asked.or_(field).first).to_be_visible()
        if not page.evaluate("localStorage.getItem('readsmith-name')"):
            asked.fill(name)
            asked.press("Enter")
        expect(field).to_be_focused()
        return field


def answer(page: Page) -> Locator:
    """Return the field of the image in hand."""
    return page.locator(".stage .answer")


def shown(page: Page) -> str:
    """Return the name of the image in hand."""
    described = page.locator(".shown img").get_attribute("alt")
    assert described is not None
    return described.removeprefix("The image ")


def wait_until_saved(page: Page) -> None:
    """Return once the trainer has every label that was given on a page."""
    deadline = time.monotonic() + TIMEOUT
    while page.evaluate(UNSENT):
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
