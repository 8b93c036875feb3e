"""`readsmith datasets convert`: a labelled set in the format of another tool."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from readsmith.options import options
from readsmith.output import err, out, print_json, say
from shared.texts import shown

if TYPE_CHECKING:
    from trainer.pipeline.datasets.writers.convert import Converted

LISTED = 100
"""So many images that are left out are named; --json names all."""


def _formats() -> list[str]:
    from trainer.pipeline.datasets.writers.lists import FORMATS

    return list(FORMATS)


def _format(name: str) -> str:
    if name in (known := _formats()):
        return name
    raise typer.BadParameter(f"{name!r} is not one of {', '.join(known)}.")


Format = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="FORMAT",
        help="readsmith (labels.csv), paddle (rec_gt.txt), gt-txt (.gt.txt beside each image), "
        "huggingface (metadata.jsonl) or label-studio (JSON).",
        callback=_format,
        autocompletion=_formats,
    ),
]


def convert(
    dataset: options.Dataset,
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to make; a zip if the name ends in .zip.")
    ],
    to: Format,
    labels: options.Labels = "auto",
    state: options.State = options.STATE,
    as_json: options.Json = False,
) -> None:
    """Write a labelled set in the format of another tool; images are copied as they are.

    Example: readsmith datasets convert captchas.zip for-paddle --to paddle
    """
    from readsmith.options.job_request import dataset_limits, fetched, job_request
    from trainer.pipeline.datasets.writers.convert import convert as write_set

    request = job_request(dataset, labels)
    source = fetched(dataset, request, state)
    converted = write_set(source, target, request.labels, to, dataset_limits())
    for sentence in (*converted.notes, *_further_notes(converted)):
        say(err, sentence)
    if as_json:
        print_json(asdict(converted))
        return
    unlabelled = f" ({converted.unlabelled:,} of them without a label)" * bool(converted.unlabelled)
    say(
        out,
        f"Wrote {converted.images:,} images{unlabelled} into {target} (format {to}); "
        f"{len(converted.left_out):,} were left out.",
    )


def _further_notes(converted: "Converted") -> Iterator[str]:
    if converted.renamed:
        old, new = next(iter(converted.renamed.items()))
        yield (
            f"{len(converted.renamed)} images have another name, as {shown(new)} for {shown(old)}: "
            "the format or some file system could not hold theirs."
        )
    for problem in islice(converted.left_out, LISTED):
        yield f"{problem.file} is left out. {problem.detail}"
    if (more := len(converted.left_out) - LISTED) > 0:
        yield f"And {more:,} more; --json names them all."
