"""Chooses who proposes: whoever agrees best with the texts that people have confirmed so far."""

from collections.abc import Sequence

from trainer.labelling.labelled_set import LabelledSet, TextReader, agreement

COMPARED = 12
"""Images without a label on which readers are compared with each other while no text tells."""


def best_reader(readers: Sequence[TextReader], labelled: LabelledSet) -> TextReader:
    """Return the reader that agrees best; readers: in the order that decides otherwise.

    Without a text that none has learned from, it is the one with which the others agree most.
    """
    if len(readers) == 1:
        return readers[0]
    if labelled.texts:
        shares = [_share(*agreement(reader, labelled.texts)) for reader in readers]
        if max(shares) > 0:
            return readers[shares.index(max(shares))]
    names = labelled.others[:COMPARED]
    read = [[one.text for one in reader.read(names)] for reader in readers]
    agreed = [sum(_alike(own, others) for others in read if others is not own) for own in read]
    return readers[agreed.index(max(agreed))]


def _alike(texts: Sequence[str], others: Sequence[str]) -> int:
    return sum(text != "" and text == other for text, other in zip(texts, others, strict=True))


def _share(right: int, asked: int) -> float:
    """Return the share that is right, by Laplace's rule of succession: few images tell little."""
    return (right + 1) / (asked + 2) if right else 0.0
