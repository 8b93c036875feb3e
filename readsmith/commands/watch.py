"""`readsmith watch`: reads the images that arrive in a folder, and appends each to a file."""

import signal
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from readsmith.options import options
from readsmith.output import err, out, percent, prediction, print_json, say

if TYPE_CHECKING:
    from readsmith.services.arrivals import Arrivals
    from readsmith.services.folder_watch import Plausibility, StopRequest
    from readsmith.services.readers import Reader
    from readsmith.services.readings_file import Row

ENDINGS = (".csv", ".jsonl")


def _readings_name(to: Path | None) -> Path | None:
    if to is None or to.suffix in ENDINGS:
        return to
    raise typer.BadParameter(f"{to} must end with .csv or .jsonl.")


def _number(text: str) -> Decimal:
    from readsmith.services.folder_watch import as_number

    number = as_number(text)
    if number is None:
        raise typer.BadParameter(f"{text} is no number; 12 and 0.5 are.")
    return number


Folder = Annotated[
    Path, typer.Argument(help="Where the images arrive.", exists=True, file_okay=False)
]
To = Annotated[
    Path | None,
    typer.Option(
        help="The file to append to, .csv or .jsonl; readings.csv in the folder unless given.",
        callback=_readings_name,
    ),
]
Threshold = Annotated[
    float, typer.Option(min=0, max=1, help="A text below this confidence is doubtful.")
]
Increasing = Annotated[
    bool, typer.Option("--increasing", help="A number below the last accepted is doubtful.")
]
MaxStep = Annotated[
    Decimal | None,
    typer.Option(
        metavar="NUMBER",
        parser=_number,
        help="A number further from the last accepted one is doubtful.",
    ),
]
SettleSeconds = Annotated[
    float, typer.Option(min=0, help="A file is read when it has not changed for so long.")
]


def watch(
    folder: Folder,
    to: To = None,
    model: options.ModelIfNamed = None,
    store: options.Store = options.STORE,
    version: options.Version = None,
    url: options.PredictorUrl = None,
    threshold: Threshold = 0.5,
    increasing: Increasing = False,
    max_step: MaxStep = None,
    settle_seconds: SettleSeconds = 2.0,
    charset: options.Charset = None,
    pattern: options.Pattern = None,
    allowed: options.Allowed = None,
    check_digit: options.CheckDigit = None,
    min_length: options.MinLength = None,
    max_length: options.MaxLength = None,
    as_json: options.Json = False,
) -> None:
    """Read images as they arrive in a folder, each once, until Ctrl-C.

    Example: readsmith watch . --to readings.csv --url http://127.0.0.1:8080 --pattern '[0-9]{5}'
    """
    from readsmith.options.prediction import prediction_options
    from readsmith.services.arrivals import Arrivals
    from readsmith.services.folder_watch import Plausibility
    from readsmith.services.readers import open_reader

    asked = prediction_options(
        model=model,
        version=version,
        charset=charset,
        pattern=pattern,
        allowed=allowed,
        check_digit=check_digit,
        min_length=min_length,
        max_length=max_length,
        min_confidence=threshold,
    )
    reader = open_reader(store, url, asked)
    arrivals = Arrivals(folder, settle_seconds)
    plausibility = Plausibility(increasing, max_step)
    _run(arrivals, reader, to or folder / "readings.csv", plausibility, as_json=as_json)


def _run(
    arrivals: "Arrivals", reader: "Reader", to: Path, plausibility: "Plausibility", *, as_json: bool
) -> None:
    from readsmith.services.folder_watch import FolderWatch, StopRequest, as_number
    from readsmith.services.readings_file import ReadingsFile

    console = err if as_json else out
    with ReadingsFile(to) as readings:
        stop = StopRequest()
        _stop_on_signals(stop)
        plausibility.last = as_number(readings.last_accepted)
        known = len(readings.known)
        say(console, f"Watching {arrivals.folder}, writing to {to} ({known} rows). Ctrl-C ends.")
        watched = FolderWatch(
            arrivals,
            reader,
            readings,
            plausibility,
            tell=lambda row: say(console, _line(row)),
            warn=partial(say, err),
        )
        watched.run(stop)
    if as_json:
        print_json({"to": str(to), "read": watched.counts.total(), **watched.counts})


def _stop_on_signals(stop: "StopRequest") -> None:
    """Have the first SIGINT or SIGTERM end the watch after the image in hand, the next at once."""

    def request(number: int, frame: FrameType | None) -> None:
        if stop.requested:
            signal.default_int_handler(number, frame)
        stop.requested = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, request)


def _line(row: "Row") -> str:
    words = [row["file"], row["status"]]
    if row["confidence"] is not None:
        words[1:1] = [prediction(row["text"]), percent(row["confidence"])]
    return "  ".join([*words, row["detail"] or ""]).rstrip()
