"""`readsmith datasets check`: what a job would find in a dataset."""

from itertools import islice
from typing import Any

from readsmith.options import options
from readsmith.output import label, out, print_json, print_table, say

SHOWN = 3
"""So many images are named with their labels."""


def check(
    dataset: options.Dataset,
    labels: options.Labels = "auto",
    fold_labels: options.FoldLabels = False,
    seed: options.Seed = 0,
    limit_images: options.LimitImages = None,
    state: options.State = options.STATE,
    as_json: options.Json = False,
) -> None:
    """Check labelled images as a job would, and say what is left out and why.

    Example: readsmith datasets check captchas.zip
    """
    from readsmith.options.job_request import dataset_limits, fetched, job_request
    from trainer.pipeline.datasets.load import load_dataset

    request = job_request(
        dataset, labels, fold_labels=fold_labels, seed=seed, limit_images=limit_images
    )
    source = fetched(dataset, request, state)
    checked = load_dataset(source, request, limits=dataset_limits())
    if as_json:
        print_json(checked.summary)
    else:
        some = islice(checked.train, SHOWN)
        _print(checked.summary, [f"{image.name} ({label(image.label)})" for image in some])


def _print(summary: dict[str, Any], examples: list[str]) -> None:
    from readsmith.progress_display import input_line, summary_line

    say(out, summary_line(summary))
    for note in (*summary["label_notes"], *summary["split_notes"]):
        say(out, note)
    say(out, input_line(summary))
    rows = [
        ("labels from", summary["labels_from"]),
        ("for example", ", ".join(examples)),
        ("characters", f"{len(summary['vocabulary'])}: {summary['vocabulary']}"),
        ("label lengths", _counts(summary["label_lengths"])),
        ("sizes", _counts(summary["sizes"])),
        ("modes", _counts(summary["modes"])),
    ]
    print_table(("found", ""), rows)
    for warning in summary["warnings"]:
        say(out, f"Warning: {warning}")
    problems = [(p["kind"], p["file"], p["detail"]) for p in summary["problems"]]
    if problems:
        print_table(("left out", "file", "why"), problems)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items())
