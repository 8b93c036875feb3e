"""Learning from the labels so far: what is proposed, suspected, and told; with real networks."""

from collections.abc import Sequence

import numpy as np
import pytest

from shared.api.jobs import JobKind
from shared.api.labelling import Estimate, ImageState
from shared.errors import ReadsmithError
from tests.support.jobs.observer import Recorder
from tests.support.labelled_images import image, texts
from trainer.database.datasets.images import DatasetImages
from trainer.database.datasets.labelled import LabelledDatasets
from trainer.database.datasets.labels import Labels
from trainer.database.datasets.living import LivingDatasets
from trainer.database.datasets.room import DatasetRoom
from trainer.database.job_queue import JobQueue
from trainer.database.tables import Database
from trainer.labelling import committee, run
from trainer.labelling.committee import QuickCommittee
from trainer.labelling.labelled_set import LabelledSet, Reading
from trainer.labelling.learn import learned_reader, write_proposals
from trainer.labelling.run import DELETED, run_learning
from trainer.pipeline.datasets.parts import folds
from trainer.schemas.labelling import LabelChange, Proposal
from trainer.schemas.limits import DEFAULT_LIMITS
from trainer.schemas.progress import CancelledRunError, Observer
from trainer.settings import Settings
from trainer.workers.job_process import JobObserver, learn_labels

LABELLED, OTHERS = 12, 6


class Images:
    """Drawn images in memory."""

    limits = DEFAULT_LIMITS

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = {f"{place:02}": label for place, label in enumerate(labels)}

    def names(self) -> list[str]:
        return sorted(self.labels)

    def read(self, name: str) -> bytes:
        return image(self.labels[name], seed=int(name))


@pytest.fixture(scope="module")
def images() -> Images:
    return Images(texts(LABELLED + OTHERS))


@pytest.fixture
def labelled(images: Images) -> LabelledSet:
    names = images.names()
    known = {name: images.labels[name] for name in names[:LABELLED]}
    return LabelledSet(images, known, set(known), names[LABELLED:])


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two networks learn a few steps."""
    monkeypatch.setattr(folds, "FOLDS", 2)
    for name in ("STEPS", "STEPS_AFTER", "COPIES"):
        monkeypatch.setattr(committee, name, 2)


class Fixed:
    """A reader that says the same of all images."""

    name = "fixed"
    ahead = 0.0

    def __init__(self, confirmed: dict[str, tuple[str, float]], other: str = "X") -> None:
        self._confirmed = confirmed
        self._other = other

    def read_confirmed(self) -> dict[str, Reading]:
        return {name: self._reading(*read) for name, read in self._confirmed.items()}

    def read(self, names: Sequence[str]) -> list[Reading]:
        return [self._reading(self._other, 0.9) for _ in names]

    def _reading(self, text: str, confidence: float) -> Reading:
        return Reading(text, confidence, np.zeros(2, np.float32))


def written(labelled: LabelledSet, reader: Fixed | QuickCommittee) -> list[Proposal]:
    proposals: list[Proposal] = []
    write_proposals(labelled, reader, lambda some, _: proposals.extend(some))
    return proposals


@pytest.mark.usefixtures("brief")
def test_from_ten_texts_on_a_committee_reads_what_it_has_not_learned_from(
    labelled: LabelledSet,
) -> None:
    reader = learned_reader(labelled, [], Observer())
    assert isinstance(reader, QuickCommittee)
    confirmed = reader.read_confirmed()
    assert confirmed.keys() == labelled.texts.keys()
    proposals = {each.image_id: each for each in written(labelled, reader)}
    assert proposals.keys() >= set(labelled.others)
    assert all(0 <= each.confidence <= 1 for each in proposals.values())
    assert {each.proposed_by for each in proposals.values()} == {"learning"}
    again = reader.read(labelled.others)
    assert [one.text for one in again] == [proposals[name].text for name in labelled.others]


@pytest.mark.usefixtures("brief")
def test_a_learning_that_is_cancelled_stops_between_two_steps(labelled: LabelledSet) -> None:
    class Cancelled(Observer):
        asked = 0

        def checkpoint(self) -> None:
            self.asked += 1
            if self.asked > 3:
                raise CancelledRunError

    with pytest.raises(CancelledRunError):
        learned_reader(labelled, [], Cancelled())


def test_a_confirmed_text_that_is_contradicted_with_confidence_is_suspected(
    labelled: LabelledSet,
) -> None:
    confirmed = {name: (text, 0.97) for name, text in labelled.texts.items()}
    first, second = list(confirmed)[:2]
    confirmed[first] = ("QQ", 0.97)
    confirmed[second] = ("QQ", 0.3)
    [suspect] = [each for each in written(labelled, Fixed(confirmed)) if each.suspected]
    assert (suspect.image_id, suspect.text) == (first, "QQ")
    assert suspect.label == labelled.texts[first]


def test_the_estimate_is_told_with_the_first_proposals(labelled: LabelledSet) -> None:
    told: list[Estimate | None] = []
    confirmed = {name: (text, 0.9) for name, text in labelled.texts.items()}
    write_proposals(labelled, Fixed(confirmed), lambda _, estimate: told.append(estimate))
    [estimate] = told
    assert estimate is not None
    assert (estimate.confirmed, estimate.remaining) == (LABELLED, OTHERS)
    assert estimate.low < estimate.accuracy < estimate.high


@pytest.fixture
def datasets(database: Database, settings: Settings) -> LabelledDatasets:
    return LabelledDatasets(database, settings.open_shared_files())


@pytest.fixture
def stored(database: Database, settings: Settings) -> DatasetImages:
    files = settings.open_shared_files()
    return DatasetImages(database, files, DatasetRoom(database, files, 10**9))


@pytest.fixture
def dataset(
    database: Database,
    settings: Settings,
    stored: DatasetImages,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A dataset of eight images, one of them confirmed."""
    monkeypatch.setattr(run, "installed_engines", lambda: iter(()))
    dataset_id = LivingDatasets(database, settings.open_shared_files()).create("meters").id
    stored.add(dataset_id, [(f"A{number}.png", image(f"A{number}")) for number in range(8)])
    first = stored.page(dataset_id, "name", (), 1).data[0]
    change = LabelChange(id=first.id, version=0, state=ImageState.CONFIRMED, text="A0")
    Labels(database).change(dataset_id, [change], "Ada")
    return dataset_id


def test_a_learning_job_has_the_starter_propose_while_there_is_little_to_learn(
    database: Database, queue: JobQueue, settings: Settings, stored: DatasetImages, dataset: str
) -> None:
    claim = queue.claim(tuple(JobKind))
    assert claim is not None
    assert queue.kind(claim) is JobKind.LEARN
    observer = JobObserver(queue, claim)
    message = learn_labels(queue.request(claim), settings, database, observer)
    assert message == "1 texts are known; starter proposes the others."
    queue.learned(claim, message)
    data = stored.page(dataset, "name", (), 100).data
    assert data[0].state is ImageState.CONFIRMED
    proposed = [each for each in data if each.state is ImageState.PROPOSED]
    assert len(proposed) >= 6  # the starter may find nothing on one
    assert {each.proposed_by for each in proposed} == {"starter"}


def test_images_that_are_deleted_meanwhile_end_a_learning_quietly(
    settings: Settings, datasets: LabelledDatasets, stored: DatasetImages, dataset: str
) -> None:
    known = datasets.images_for_learning(dataset).images
    settings.open_shared_files().remove(known[-1].file)
    assert run_learning(dataset, datasets, settings.model_store(), Recorder()) == DELETED


def test_a_dataset_that_was_deleted_is_told(settings: Settings, datasets: LabelledDatasets) -> None:
    with pytest.raises(ReadsmithError) as told:
        run_learning(f"dataset-{'0' * 32}", datasets, settings.model_store(), Recorder())
    assert told.value.code == "dataset_not_found"
