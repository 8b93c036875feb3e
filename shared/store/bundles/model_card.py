"""The model card of a version: data, groups, figures with intervals and limits, in two files.

After Mitchell et al. 2019, "Model Cards for Model Reporting". It is made from the manifest and the
report alone, so every bundle has one and no figure in it was typed by hand.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from shared.atomic_files import read_small
from shared.recognition.scoring import wilson_interval
from shared.store.manifest import MOST_BYTES, REPORT, Manifest, Metrics
from shared.texts import shown

CARD_JSON: Final = "model_card.json"
CARD_MARKDOWN: Final = "model_card.md"
CARD = (CARD_JSON, CARD_MARKDOWN)
FEW_IMAGES: Final = 100
"""Test images below which the card warns of what so few can tell."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")

Json = dict[str, Any]


def write_card(manifest: Manifest, build: Path) -> None:
    """Write the card of a bundle in both forms beside its other files."""
    card = describe(manifest, _report(build))
    text = json.dumps(card, ensure_ascii=False, indent=2)
    (build / CARD_JSON).write_text(text, encoding="utf-8")
    (build / CARD_MARKDOWN).write_text("\n".join(_markdown(card)) + "\n", encoding="utf-8")


def describe(manifest: Manifest, report: Mapping[str, Any]) -> Json:
    """Return the card as JSON; report: what report/metrics.json holds, if there is one."""
    about = manifest.model_dump(mode="json")
    return {
        "card": 1,
        "model": manifest.model,
        "version": manifest.version,
        "created_at": about["created_at"],
        "origin": manifest.origin,
        "network": manifest.preset,
        "base": manifest.base,
        "use": _use(manifest),
        "data": _data(manifest),
        "figures": about["metrics"],
        "detection": about["detection"],
        "calibration": about["calibration"],
        "comparison": about["comparison"],
        "groups": {
            "by_length": _groups(report.get("by_length"), "images"),
            "by_character": _groups(report.get("by_character"), "count"),
        },
        "limits": list(_limits(manifest)),
        "seed": manifest.seed,
        "settings": about["parameters"],
        "libraries": about["libraries"],
    }


def _report(build: Path) -> Mapping[str, Any]:
    """Return what the bundle's report measured; starters and imported models have none."""
    with suppress(OSError, ValueError):
        report = json.loads(read_small(build / REPORT / "metrics.json", MOST_BYTES))
        if isinstance(report, dict):
            return report
    return {}


def _use(manifest: Manifest) -> str:
    what = "text in two rows" if manifest.image.rows == 2 else "one line of text"
    how = f"finds {what} in a photograph" if manifest.detector else f"takes an image of {what}"
    return f"It {how} and returns the text with a confidence."


def _data(manifest: Manifest) -> Json:
    metrics, sizes = manifest.metrics, manifest.image_sizes
    return {
        "trained_on": manifest.dataset,
        "images": {
            "training": metrics and metrics.train_images,
            "validation": metrics and metrics.validation_images,
            "test": metrics and metrics.test_images,
            "unlabelled": metrics and metrics.unlabelled_images,
        },
        "folds": metrics and metrics.folds,
        "label_lengths": manifest.label_lengths,
        "characters": "".join(manifest.vocabulary),
        "unseen_characters": manifest.unseen_characters,
        "image_sizes": sizes and sizes.model_dump(mode="json"),
    }


def _groups(counts: object, of: str) -> list[Json]:
    """Return the share of correct predictions of each group, with its 95 % interval."""
    if not isinstance(counts, dict):
        return []
    groups = []
    for group, count in counts.items():
        images, right = count[of], count["right"]
        interval = [round(bound, 4) for bound in wilson_interval(right, images)]
        share = round(right / images, 4)
        groups.append({"group": group, of: images, "correct": share, "interval": interval})
    return groups


def _limits(manifest: Manifest) -> Iterator[str]:
    metrics = manifest.metrics
    if metrics is None:
        yield "It was imported, and nothing was measured: how often it is correct is not known."
    else:
        yield from _limits_of_figures(metrics)
    if manifest.learned is not None and not manifest.learned.proven:
        yield "The test images do not show that it has learned to read."
    yield "It answers with the characters listed here alone; any other is read as one of them."
    if manifest.unseen_characters:
        yield f"No label held these of them: {manifest.unseen_characters}"
    if manifest.label_lengths:
        lengths = sorted(map(int, manifest.label_lengths))
        yield f"Labels had {lengths[0]} to {lengths[-1]} characters; other lengths were not tried."
    if (sizes := manifest.image_sizes) is not None:
        (narrow, wide), (low, high) = sizes.widths, sizes.heights
        yield (
            f"Images were {narrow} to {wide} pixels wide and {low} to {high} high; "
            "others, and another source or look, can be read much worse."
        )
    yield "A confidence is no proof: images can be made that are read wrong with a high one."


def _limits_of_figures(metrics: Metrics) -> Iterator[str]:
    if metrics.folds:
        yield (
            f"Its figures come from {metrics.folds} folds: each image was predicted by a network "
            "that had not learned from it, not by the published one."
        )
    if metrics.test_images < FEW_IMAGES:
        low, high = metrics.exact_match_interval
        yield (
            f"{metrics.test_images} test images tell little: its true accuracy may lie anywhere "
            f"from {_percent(low)} to {_percent(high)}."
        )
    yield "Its figures hold for images like those of its test part."


def _markdown(card: Json) -> Iterator[str]:
    yield from (f"# {card['model']}, version {card['version']}", "")
    network = f"the network `{card['network']}`" if card["network"] else "a network made elsewhere"
    start = f", from {_plain(card['base'])}" if card["base"] else ""
    yield from (f"{card['use']} {card['origin'].capitalize()}: {network}{start}.", "")
    yield from ("## Data", "", *_markdown_data(card["data"]), "")
    yield from ("## Figures", "", *_markdown_figures(card), "")
    for title, of, groups in (
        ("Groups: by length of the text", "images", card["groups"]["by_length"]),
        ("Groups: by character", "count", card["groups"]["by_character"]),
    ):
        if groups:
            yield from (f"## {title}", "", f"| group | {of} | correct | 95 % interval |")
            yield "|---|---|---|---|"
            for one in groups:
                name, share = _plain(one["group"]), _percent(one["correct"])
                yield f"| {name} | {one[of]} | {share} | {_interval(one['interval'])} |"
            yield ""
    yield from ("## Limits", "", *(f"- {_plain(limit)}" for limit in card["limits"]))


def _markdown_data(data: Json) -> Iterator[str]:
    yield f"- Trained on: {_plain(data['trained_on'])}"
    images = [f"{count} {part}" for part, count in data["images"].items() if count]
    if images:
        folds = f", in {data['folds']} folds" if data["folds"] else ""
        yield f"- Images: {', '.join(images)}{folds}"
    yield f"- Characters: {_plain(data['characters'])}"


def _markdown_figures(card: Json) -> Iterator[str]:
    figures = card["figures"]
    if figures is None:
        yield "Nothing was measured."
        return
    exact, interval = _percent(figures["exact_match"]), _interval(figures["exact_match_interval"])
    yield "| figure | value | 95 % interval |"
    yield "|---|---|---|"
    yield f"| exact match on {figures['test_images']} test images | {exact} | {interval} |"
    yield f"| character error rate | {_percent(figures['cer'])} | |"
    yield f"| mean confidence | {_percent(figures['mean_confidence'])} | |"
    if (found := card["detection"]) is not None:
        lines, span = _percent(found["found"]), _interval(found["found_interval"])
        yield f"| lines found in {found['images']} photographs | {lines} | {span} |"
    for row in (card["calibration"] or {"thresholds": ()})["thresholds"]:
        accepted, wrong = _percent(row["accepted"]), _percent(row["wrong"])
        name = f"wrong at confidence {row['threshold']} or more ({accepted} of predictions)"
        yield f"| {name} | {wrong} | {_interval(row['wrong_interval'])} |"


def _plain(text: str) -> str:
    """Return a text from outside as Markdown shows it: no markup, no line breaks."""
    return _MARKUP.sub(r"\\\1", shown(text, None))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _interval(bounds: list[float]) -> str:
    low, high = bounds
    return f"{_percent(low)} to {_percent(high)}"
