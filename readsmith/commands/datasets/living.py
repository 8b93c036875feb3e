"""`readsmith datasets list`, `show`, `import`, `export`, `delete`: those of a running trainer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from readsmith.commands.datasets.convert import Format
from readsmith.options import options
from readsmith.output import err, interval, out, percent, print_json, print_table, say
from shared.errors import ConflictError

if TYPE_CHECKING:
    from readsmith.client import Client
    from shared.api.datasets import Upload
    from shared.api.labelling import ImageState, LivingDataset

LISTED = 100
COLUMNS = ("dataset", "name", "created", "bytes", "images", "labelled")
DatasetId = Annotated[str, typer.Argument(metavar="ID", help="The dataset's id.")]


def list_datasets(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = LISTED,
    url: options.TrainerUrl = "",
    as_json: options.Json = False,
) -> None:
    """List the datasets of a running trainer, newest first: uploads, and living ones.

    Example: readsmith datasets list
    """
    found = _trainer(url).datasets.list(limit)
    if as_json:
        print_json({"data": [each.as_sent() for each in found]})
        return
    print_table(COLUMNS, [_row(each) for each in found], whole=True)


def show(dataset: DatasetId, url: options.TrainerUrl = "", as_json: options.Json = False) -> None:
    """Show a dataset; of a living one its images by state, and how right proposals are.

    Example: readsmith datasets show dataset-0123456789abcdef0123456789abcdef
    """
    from shared.api.labelling import LivingDataset

    found = _trainer(url).datasets.get(dataset)
    if as_json:
        print_json(found.as_sent())
    elif isinstance(found, LivingDataset):
        _show_living(found)
    else:
        print_table(COLUMNS, [_row(found)], whole=True)


def _show_living(found: "LivingDataset") -> None:
    rows = [(state, f"{count:,}") for state, count in found.counts.items()]
    print_table((found.name, f"version {found.version}"), rows)
    if (estimate := found.estimate) is not None:
        bounds = interval((estimate.low, estimate.high))
        say(out, f"Estimated accuracy on the rest: {percent(estimate.accuracy)} ({bounds}).")
    if found.learning is not None:
        say(out, f"{found.learning} learns from its labels.")


def import_dataset(
    dataset: options.Dataset,
    name: Annotated[
        str | None, typer.Option("--name", help="Its name; without it, that of the file.")
    ] = None,
    labels: options.Labels = "auto",
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Take no labels, wherever there may be some.")
    ] = False,
    url: options.TrainerUrl = "",
    as_json: options.Json = False,
) -> None:
    """Make a living dataset of a zip or a folder: labelled, partly or not at all.

    What `readsmith datasets export` wrote comes in with the same states.

    Example: readsmith datasets import meters.zip --name meters
    """
    from readsmith.options.job_request import labels_request

    if options.is_url(dataset):
        raise typer.BadParameter("Give a zip or a folder, not a URL.")
    wanted = None if unlabelled else labels_request(labels)
    trainer = _trainer(url)
    upload = trainer.upload(dataset)
    try:
        made = trainer.datasets.create(
            name or Path(dataset).resolve().stem[:64], upload=upload, labels=wanted
        )
    finally:
        trainer.datasets.delete(upload)
    if as_json:
        print_json(made.as_sent())
        return
    for each in made.rejected:
        say(err, f"{each.name} is left out. {each.message}")
    count = sum(made.counts.values())
    say(out, f"{made.id}: {count:,} images, {_settled(made) or 0:,} of them labelled.")


def export_dataset(
    dataset: DatasetId,
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The zip to write.")],
    to: Format = "readsmith",
    url: options.TrainerUrl = "",
    as_json: options.Json = False,
) -> None:
    """Write a living dataset as a zip, its images as they were sent.

    readsmith, huggingface and label-studio hold all states, and who has labelled what.

    Example: readsmith datasets export dataset-0123456789abcdef0123456789abcdef meters.zip
    """
    if target.exists():
        message = f"{target} exists already."
        raise ConflictError("target_exists", message, "Choose a name that is not taken.")
    _trainer(url).datasets.export(dataset, target, to)
    if as_json:
        print_json({"file": str(target), "format": to, "bytes": target.stat().st_size})
    else:
        say(out, f"Wrote {target} ({target.stat().st_size:,} bytes).")


def delete_dataset(
    dataset: DatasetId,
    force: Annotated[
        bool, typer.Option("--force", help="Also one with labels that people have given.")
    ] = False,
    url: options.TrainerUrl = "",
    as_json: options.Json = False,
) -> None:
    """Delete a dataset that no queued or running job needs; it does not come back.

    Example: readsmith datasets delete dataset-0123456789abcdef0123456789abcdef
    """
    trainer = _trainer(url)
    if not force:
        _require_no_labels(trainer, dataset)
    trainer.datasets.delete(dataset)
    if as_json:
        print_json({"deleted": dataset})
    else:
        say(out, f"Deleted {dataset}.")


def _require_no_labels(trainer: "Client", dataset: str) -> None:
    found = trainer.datasets.get(dataset)
    if settled := _settled(found):
        raise ConflictError(
            "dataset_in_use",
            f"Dataset {dataset} has {settled:,} labels.",
            "--force deletes them; `readsmith datasets export` takes them along first.",
        )


def _trainer(url: str) -> "Client":
    from readsmith.client import Client

    return Client(trainer_url=url, retries=options.RETRIES, api_key=options.api_key())


def _row(dataset: "Upload | LivingDataset") -> tuple[object, ...]:
    settled = _settled(dataset)
    return (
        dataset.id,
        dataset.name,
        f"{dataset.created_at:%Y-%m-%d %H:%M}",
        f"{dataset.bytes:,}",
        None if settled is None else f"{sum(_counts(dataset).values()):,}",
        None if settled is None else f"{settled:,}",
    )


def _settled(dataset: "Upload | LivingDataset") -> int | None:
    """Return how many images somebody has decided about; None for an upload."""
    counts = _counts(dataset)
    return sum(count for state, count in counts.items() if state.is_settled) if counts else None


def _counts(dataset: "Upload | LivingDataset") -> "dict[ImageState, int]":
    from shared.api.labelling import LivingDataset

    return dataset.counts if isinstance(dataset, LivingDataset) else {}
