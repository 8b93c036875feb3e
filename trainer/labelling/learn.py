"""Learns from the labels so far, and proposes texts for the other images of a set.

Importing this imports TensorFlow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from shared.api.labelling import Estimate
from shared.errors import TooFewImagesError
from trainer.labelling.choose import best_reader
from trainer.labelling.committee import PRESET, QuickCommittee
from trainer.labelling.estimate import Confirmation, calibrated, estimate
from trainer.labelling.labelled_set import LabelledSet, Reading, TextReader
from trainer.labelling.order import informative
from trainer.labelling.proposers.interface import Proposer
from trainer.labelling.proposers.reader import ProposerReader
from trainer.pipeline.datasets.clean import MOST_UNLABELLED
from trainer.pipeline.datasets.labels.found import FoundLabels
from trainer.pipeline.datasets.load import MIN_IMAGES, split_dataset
from trainer.pipeline.datasets.sources.text_columns import Texts, TextTable
from trainer.schemas.job_request import JobRequest
from trainer.schemas.labelling import Proposal
from trainer.schemas.progress import Observer

SUSPICIOUS = 0.8
"""A confirmed text is suspected if a network that has not learned from the image contradicts it
with at least this confidence."""

Write = Callable[[Sequence[Proposal], Estimate | None], None]
"""Takes the proposals for some of the images, and the estimate for all that have no label."""


def learned_reader(
    labelled: LabelledSet, proposers: Sequence[Proposer], observer: Observer
) -> TextReader:
    """Return who reads the images best, after what there is to learn was learned.

    From MIN_IMAGES texts on, that is a committee, unless one of the proposers agrees better with
    the texts. Raises CancelledRunError.
    """
    readers: list[TextReader] = [ProposerReader(each, labelled, observer) for each in proposers]
    committee = _committee(labelled, observer)
    if committee is not None:
        readers.insert(0, committee)
    return best_reader(readers, labelled)


def write_proposals(labelled: LabelledSet, reader: TextReader, write: Write) -> None:
    """Write proposals for all images without a label, those of the first as soon as it can."""
    _Writing(labelled, reader, write).run()


def _committee(labelled: LabelledSet, observer: Observer) -> QuickCommittee | None:
    """Return a committee that has learned; None where the texts are too few."""
    if len(labelled.texts) < MIN_IMAGES:
        return None
    request = JobRequest(preset=PRESET, evaluation="cross_validation")
    table = TextTable(Texts(labelled.texts), Texts(labelled.texts.values()))
    found = FoundLabels("the confirmed texts", table)
    found.unlabelled = list(labelled.others[:MOST_UNLABELLED])
    try:
        dataset = split_dataset(labelled.source, found, request)
    except TooFewImagesError:  # some are of the same image, or of an odd size
        return None
    committee = QuickCommittee(dataset, observer)
    committee.learn()
    return committee


@dataclass
class _Writing:
    """Reads the images without a label, some at a time, and writes what comes of it."""

    labelled: LabelledSet
    reader: TextReader
    write: Write
    _confidences: list[float] = field(default_factory=list, init=False)

    def run(self) -> None:
        """Write proposals for all images."""
        confirmed = self.reader.read_confirmed()
        texts, random = self.labelled.texts, self.labelled.random
        answers = [
            Confirmation(one.confidence, one.text == texts[name], name in random)
            for name, one in confirmed.items()
        ]
        suspects = self._suspects(confirmed, answers)
        others = self.labelled.others
        if not others:
            self.write(suspects, None)
        for start in range(0, len(others), MOST_UNLABELLED):
            names = others[start : start + MOST_UNLABELLED]
            proposals = self._proposals(names, confirmed, answers)
            told = estimate(answers, self._confidences, len(others), self.reader.ahead)
            self.write([*suspects, *proposals], told)

    def _proposals(
        self,
        names: Sequence[str],
        confirmed: Mapping[str, Reading],
        answers: Sequence[Confirmation],
    ) -> list[Proposal]:
        read = self.reader.read(names)
        self._confidences += [one.confidence for one in read]
        sure = calibrated(answers, [one.confidence for one in read], self.reader.ahead)
        looks = np.stack([one.look for one in read])
        seen = [one.look for one in confirmed.values()]
        scores = informative(1 - sure, looks, np.reshape(seen, (-1, looks.shape[1])))
        return [
            Proposal(name, one.text, confidence, score, proposed_by=self.reader.name)
            for name, one, confidence, score in zip(
                names, read, sure.tolist(), scores.tolist(), strict=True
            )
        ]

    def _suspects(
        self, confirmed: Mapping[str, Reading], answers: Sequence[Confirmation]
    ) -> list[Proposal]:
        """Return the readings that contradict what was confirmed."""
        sure = calibrated(answers, [one.confidence for one in confirmed.values()]).tolist()
        return [
            Proposal(
                name,
                one.text,
                confidence,
                score=0.0,
                suspected=True,
                label=self.labelled.texts[name],
                proposed_by=self.reader.name,
            )
            for (name, one), confidence in zip(confirmed.items(), sure, strict=True)
            if one.text and one.text != self.labelled.texts[name] and confidence >= SUSPICIOUS
        ]
