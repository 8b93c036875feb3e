"""Character confusions, and correct predictions by character and by length."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from shared.recognition.scoring import edit_costs
from shared.recognition.scripts.graphemes import clusters

Pair = tuple[str, str]
"""(truth, text) of an image, or of one character, where "" stands for none."""


def align(truth: str, text: str) -> list[Pair]:
    """Pair the characters by the fewest edits; ("", x) is an insertion, (x, "") a deletion.

    A letter and its marks are one character: a mark alone would say nothing. Prefers a confusion to
    an insertion and a deletion. (Wagner and Fischer 1974.)
    """
    truths, texts = clusters(truth), clusters(text)
    costs = edit_costs(truths, texts)
    pairs = []
    i, j = len(truths), len(texts)
    while i or j:
        if i and j and costs[i][j] == costs[i - 1][j - 1] + (truths[i - 1] != texts[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((truths[i], texts[j]))
        elif i and costs[i][j] == costs[i - 1][j] + 1:
            i -= 1
            pairs.append((truths[i], ""))
        else:
            j -= 1
            pairs.append(("", texts[j]))
    return pairs[::-1]


def describe_mistakes(pairs: Iterable[Pair]) -> dict[str, Any]:
    """Count over (truth, text) of images, as JSON; the most frequent mistakes come first.

    confusions: truth, text, count. insertions and deletions: count of each character.
    by_character: occurrences of each in the truth, and how many were predicted correctly.
    by_length: images of each length of the truth, and how many were predicted correctly.
    """
    images = list(pairs)
    aligned = Counter(pair for truth, text in pairs for pair in align(truth, text))
    mistakes = [(pair, count) for pair, count in aligned.most_common() if pair[0] != pair[1]]
    return {
        "confusions": [
            {"truth": truth, "text": text, "count": count}
            for (truth, text), count in mistakes
            if truth and text
        ],
        "insertions": {text: count for (truth, text), count in mistakes if not truth},
        "deletions": {truth: count for (truth, text), count in mistakes if not text},
        "by_character": _by_character(aligned),
        "by_length": _by_length(images),
    }


def _by_character(aligned: Counter[Pair]) -> dict[str, dict[str, int]]:
    counts: Counter[str] = Counter()
    for (truth, _), count in aligned.items():
        counts[truth] += count
    return {
        character: {"count": counts[character], "right": aligned[character, character]}
        for character in sorted(counts)
        if character
    }


def _by_length(pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    images = Counter(len(truth) for truth, _ in pairs)
    correct = Counter(len(truth) for truth, text in pairs if truth == text)
    return {
        str(length): {"images": images[length], "right": correct[length]}
        for length in sorted(images)
    }
