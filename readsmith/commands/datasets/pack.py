"""`readsmith datasets pack`: a set as shards, for sets too large for a zip."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from readsmith.options import options
from readsmith.output import out, print_json, say

IMAGES_PER_SHARD = 10_000


def pack(
    dataset: options.Dataset,
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make, of tar files.")],
    images_per_shard: Annotated[
        int, typer.Option("--images-per-shard", min=1, help="Most images in one tar file.")
    ] = IMAGES_PER_SHARD,
    labels: options.Labels = "auto",
    state: options.State = options.STATE,
    as_json: options.Json = False,
) -> None:
    """Write labelled images as WebDataset shards, copies and unusable ones left out.

    Example: readsmith datasets pack captchas.zip shards
    """
    from readsmith.options.job_request import dataset_limits, fetched, job_request
    from trainer.pipeline.datasets.writers.pack import pack as write_shards

    request = job_request(dataset, labels)
    source = fetched(dataset, request, state)
    packed = write_shards(source, target, request.labels, images_per_shard, dataset_limits())
    if as_json:
        print_json(asdict(packed))
    else:
        say(
            out,
            f"Wrote {packed.images:,} images into {packed.shards:,} shards in {target} "
            f"({packed.bytes:,} bytes); {packed.left_out:,} were left out.",
        )
