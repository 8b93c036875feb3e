"""Arguments and options that several commands have."""

import os
import re
from pathlib import Path
from typing import Annotated, get_args

import typer

from shared.errors import NotFoundError
from shared.store.location import is_object_storage, require_place


def is_url(dataset: str) -> bool:
    """Tell a URL from a path."""
    return dataset.startswith(("http://", "https://"))


def _existing_dataset(dataset: str | None) -> str | None:
    if dataset is None or is_url(dataset) or Path(dataset).exists():
        return dataset
    raise typer.BadParameter(f"{dataset} does not exist. Give a zip, a folder or a URL.")


def api_key() -> str | None:
    """Return the key for the services; an option could be seen by others on the machine."""
    return os.environ.get("READSMITH_API_KEY") or None


def model_name(model: str) -> str:
    """Return the name as it is; raises typer.BadParameter if a model cannot be called so."""
    from shared.store.manifest import MODEL_NAME_PATTERN

    if not re.fullmatch(MODEL_NAME_PATTERN, model):
        raise typer.BadParameter(
            f"{model!r} is not a model name: lower-case letters, digits, '.', '_' and '-', "
            "at most 64, a letter or digit first."
        )
    return model


def place(place: str) -> str:
    """Return a folder or the address of a bucket as it is; raises typer.BadParameter."""
    try:
        return require_place(place)
    except ValueError as error:
        raise typer.BadParameter(f"It {error}.") from None


def _existing_place(context: typer.Context, parameter: typer.CallbackParam, chosen: str) -> str:
    """Return where models are; raises NotFoundError for a folder that was named and is not there.

    The default one is not there before the first training.
    """
    source = context.get_parameter_source(parameter.name or "")
    if place(chosen) == STORE and (source is None or source.name == "DEFAULT"):
        return chosen
    if not is_object_storage(chosen) and not Path(chosen).is_dir():
        raise NotFoundError(
            "store_not_found",
            f"There is no folder {chosen}.",
            "Give the --store (or READSMITH_STORE) in which models are published.",
        )
    return chosen


def known_models(context: typer.Context) -> list[str]:
    """Return the models of the store that is meant, and the starter, for completion."""
    from shared.store.builtin import STARTER
    from shared.store.store import ModelStore

    store = context.params.get("store") or os.environ.get("READSMITH_STORE") or STORE
    names = [] if is_object_storage(store) else ModelStore(store).models()
    return [*names, STARTER]


def presets() -> list[str]:
    """Return the names of the presets, for completion."""
    from trainer.schemas.job_request import PresetName

    return ["auto", *get_args(PresetName)]


Dataset = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="A zip, a tar, a folder, a parquet table, or the URL of one, of labelled images.",
        callback=_existing_dataset,
    ),
]
OptionalDataset = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        help="A zip, a folder, or the URL of a zip. Without it: the public Captcha Images V2.",
        callback=_existing_dataset,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model", help="The model's name.", callback=model_name, autocompletion=known_models
    ),
]
ModelIfNamed = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="The model's name; without it the default one (readsmith models default), or the "
        "only one; the starter where nothing is trained yet.",
        callback=lambda model: model and model_name(model),
        autocompletion=known_models,
    ),
]
ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="The model's name.",
        callback=model_name,
        autocompletion=known_models,
    ),
]
Version = Annotated[
    int | None,
    typer.Option("--version", min=1, help="Which version; the current one unless given."),
]
Store = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="READSMITH_STORE",
        help="Where published models are stored: a folder, or s3://bucket/prefix.",
        callback=place,
    ),
]
ExistingStore = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="READSMITH_STORE",
        help="Where published models are stored: a folder, or s3://bucket/prefix.",
        callback=_existing_place,
    ),
]


def _trainer_url(url: str | None) -> str:
    """Return the trainer that is meant: without an address the one that this machine starts."""
    return url or f"http://127.0.0.1:{os.environ.get('READSMITH_TRAINER_PORT') or 8000}"


TrainerUrl = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="READSMITH_TRAINER_URL",
        show_default=False,
        help="The trainer; without it, on this machine at READSMITH_TRAINER_PORT, or 8000.",
        callback=_trainer_url,
    ),
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
State = Annotated[
    Path,
    typer.Option("--state", envvar="READSMITH_STATE", help="Folder of jobs, uploads, downloads."),
]
Logs = Annotated[Path, typer.Option("--logs", help="Folder of the services' logs.")]
Labels = Annotated[
    str,
    typer.Option(
        "--labels",
        help="Where labels are: auto, manifest (lists as labels.csv), beside (0017.txt beside "
        "0017.png), folder, filename, filename:REGEX, or file:PATH of a list.",
        autocompletion=lambda: ["auto", "manifest", "beside", "folder", "filename"],
    ),
]
FoldLabels = Annotated[
    bool,
    typer.Option(
        "--fold-labels",
        help="Remove invisible characters from labels, and make full-width ones ordinary.",
    ),
]
Preset = Annotated[
    str | None, typer.Option("--preset", help="The network to train.", autocompletion=presets)
]
Vocabulary = Annotated[
    str,
    typer.Option(
        "--vocabulary",
        help="What can be predicted: auto, closed (the labels' characters alone), or "
        "characters:0123456789.",
        autocompletion=lambda: ["auto", "closed"],
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed of all randomness.")]
Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="Most epochs.")]
LearningRate = Annotated[
    float | None,
    typer.Option("--learning-rate", help="Highest learning rate, above 0, at most 1."),
]
Height = Annotated[
    int | None, typer.Option("--height", help="Height of the network's input in pixels, 16 to 512.")
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base",
        metavar="VERSION",
        help="What training starts from: the number of an earlier version of the model, starter "
        "(where it fits), or none.",
        autocompletion=lambda: ["starter", "none"],
    ),
]
Corrections = Annotated[
    bool,
    typer.Option(
        "--corrections",
        help="Learn from the corrections, too, that the trainer has of this model in --state.",
    ),
]
MaxMinutes = Annotated[
    float | None, typer.Option("--max-minutes", help="Stop training after this time.")
]
LimitImages = Annotated[
    int | None,
    typer.Option("--limit-images", min=2, help="Most images for training and validation together."),
]
Search = Annotated[
    list[str] | None,
    typer.Option(
        "--search",
        metavar="NAME=VALUES",
        help="Try several values and publish the best, --max-minutes in all; NAME=LOW..HIGH, "
        "NAME=LOW..HIGH:log or NAME=A,B,C; may be given several times.",
    ),
]
Trials = Annotated[
    int | None, typer.Option("--trials", min=1, max=1000, help="Most trainings of a search; 10.")
]
Promote = Annotated[
    str,
    typer.Option(
        "--promote",
        help="Serve the new version: auto (unless it is clearly worse than the served one), "
        "always, or never.",
        autocompletion=lambda: ["auto", "always", "never"],
    ),
]
Evaluation = Annotated[
    str,
    typer.Option(
        "--evaluation",
        help="Measure on a test_part that is held back, or by cross_validation, which learns from "
        "all images; auto: the latter below 150 images.",
        autocompletion=lambda: ["auto", "test_part", "cross_validation"],
    ),
]
SelfTraining = Annotated[
    str,
    typer.Option(
        "--self-training",
        help="Learn from images without a text as well, where that reads better: auto or off.",
        autocompletion=lambda: ["auto", "off"],
    ),
]
Detector = Annotated[
    str,
    typer.Option(
        "--detector",
        help="Learn to find the line in photographs, too: auto (where the set marks one in each), "
        "or off.",
        autocompletion=lambda: ["auto", "off"],
    ),
]
RetainedVersions = Annotated[
    int | None,
    typer.Option(
        "--retained-versions",
        min=1,
        envvar="READSMITH_RETAINED_VERSIONS",
        help="Versions that are retained, besides the served one and the one before it; 5.",
    ),
]
TopK = Annotated[int | None, typer.Option("--top-k", help="Show so many of the likeliest texts.")]
Charset = Annotated[
    str | None, typer.Option("--charset", help="Only these characters may be read.")
]
Pattern = Annotated[
    str | None,
    typer.Option(
        "--pattern",
        help="What the whole text must match, like [A-Z]{2}[0-9]{4}; without it the model's own.",
    ),
]
Allowed = Annotated[
    Path | None,
    typer.Option(
        "--allowed",
        help="A file with all the texts that may be read, each on a line; without it the "
        "model's own list.",
    ),
]
AllowedOfJob = Annotated[
    Path | None,
    typer.Option(
        "--allowed",
        help="A file with all the texts that may come, each on a line: measure what such a list "
        "brings, and from which confidence to reject.",
    ),
]
CheckDigit = Annotated[
    str | None,
    typer.Option(
        "--check-digit",
        help="The rule that the text must fit: ean, iban, iso6346, luhn, mod97, or none.",
    ),
]
AllowedThreshold = Annotated[
    float | None,
    typer.Option(
        "--allowed-threshold",
        help="Read none of the allowed texts below this confidence, 0 to 1; 0.5.",
    ),
]
FoldCase = Annotated[
    bool | None,
    typer.Option(
        "--fold-case/--keep-case",
        help="Read letters in either case where the limits allow one alone; the starter does.",
    ),
]
MinLength = Annotated[
    int | None, typer.Option("--min-length", help="Fewest characters in the text.")
]
MaxLength = Annotated[int | None, typer.Option("--max-length", help="Most characters in the text.")]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        "--min-confidence", help="Accept predictions with at least this confidence, 0 to 1."
    ),
]
PredictorUrl = Annotated[
    str | None, typer.Option("--url", help="A running predictor instead of a store.")
]
Crop = Annotated[
    str | None,
    typer.Option(
        "--crop",
        help="off: the images are cut to the line already; auto: a model with a detector finds it.",
        autocompletion=lambda: ["auto", "off"],
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]

STORE = "var/models"
STATE = Path("var/trainer")
LOGS = Path("var/logs")
RETRIES = 1
"""Of a request to a service: who waits at a terminal wants to know soon."""
