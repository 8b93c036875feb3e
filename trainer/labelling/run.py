"""A learning job: from a living dataset's labels to proposals in the database.

Importing this imports TensorFlow.
"""

from collections.abc import Sequence
from contextlib import suppress

from shared.api.labelling import Estimate
from shared.errors import ReadsmithError
from shared.store.store import ModelStore
from trainer.database.datasets.labelled import KnownImage, LabelledDatasets
from trainer.labelling.labelled_set import LabelledSet
from trainer.labelling.learn import learned_reader, write_proposals
from trainer.labelling.proposers.engines import installed_engines
from trainer.labelling.proposers.interface import Proposer
from trainer.labelling.proposers.models import served, starter
from trainer.pipeline.datasets.sources.image_files import UnreadableEntryError
from trainer.schemas.labelling import Proposal
from trainer.schemas.limits import DEFAULT_LIMITS
from trainer.schemas.progress import Observer

DELETED = "Images were deleted meanwhile."


class StoredImages:
    """The images of a living dataset as an ImageSource; their names are their ids."""

    limits = DEFAULT_LIMITS

    def __init__(self, datasets: LabelledDatasets, images: Sequence[KnownImage]) -> None:
        self._datasets = datasets
        self._images = {image.id: image for image in images}

    def names(self) -> list[str]:
        """Return the ids."""
        return sorted(self._images)

    def read(self, name: str) -> bytes:
        """Return an image's file; raises UnreadableEntryError if it was deleted."""
        data = self._datasets.read(self._images[name])
        if data is None:
            raise UnreadableEntryError("was deleted")
        return data


def run_learning(
    dataset_id: str, datasets: LabelledDatasets, store: ModelStore, observer: Observer
) -> str:
    """Learn from a dataset's labels and write the proposals; return what was done, a sentence.

    Raises ReadsmithError dataset_not_found, and CancelledRunError.
    """
    known = datasets.images_for_learning(dataset_id)
    images = known.images
    labelled = LabelledSet(
        StoredImages(datasets, images),
        {image.id: image.text for image in images if image.state.has_label and image.text},
        {image.id for image in images if image.random},
        [image.id for image in images if not image.state.is_settled],
    )

    def write(proposals: Sequence[Proposal], estimate: Estimate | None) -> None:
        datasets.propose(dataset_id, known.version, proposals, estimate)

    try:
        proposers = _proposers(known.dataset_name, labelled, store)
        reader = learned_reader(labelled, proposers, observer)
        write_proposals(labelled, reader, write)
    except UnreadableEntryError:
        return DELETED
    return f"{len(labelled.texts)} texts are known; {reader.name} proposes the others."


def _proposers(name: str, labelled: LabelledSet, store: ModelStore) -> list[Proposer]:
    """Return all that are at hand, the likeliest first."""
    proposers: list[Proposer] = []
    with suppress(ReadsmithError):  # a broken version must not keep the others from proposing
        own = served(store, name)
        proposers += [own] if own else []
    return [*proposers, *installed_engines(), starter(list(labelled.texts.values()))]
