"""`readsmith predict`: reads images with a published version or a running predictor."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from readsmith.options import options
from readsmith.output import FAILED, err, out, percent, prediction, print_json, print_table, say
from shared.errors import (
    DatasetError,
    FailedError,
    ImageTooLargeError,
    ReadsmithError,
    TooLargeError,
)
from shared.texts import csv_cell

if TYPE_CHECKING:
    from predictor.requests.options import PredictionOptions
    from readsmith.services.readers import Reader

BATCH = 64
"""Images that are in memory at a time."""
MOST_BYTES = 40_000_000
"""Of an image, as the predictor takes them by default."""
STDIN = Path("-")
SHOT_COLUMNS = ("image", "text", "confidence", "agrees")


def _existing(images: list[Path]) -> list[Path]:
    for image in images:
        if image != STDIN and not image.exists():
            raise typer.BadParameter(f"{image} does not exist.")
    return images


Images = Annotated[
    list[Path],
    typer.Argument(
        metavar="IMAGE...",
        help="Images, or folders of them; - reads one from standard input.",
        callback=_existing,
    ),
]
Combine = Annotated[
    bool, typer.Option("--combine", help="The images are shots of one thing: read one text.")
]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV on stdout, a line for each image.")]


def predict(
    images: Images,
    model: options.ModelIfNamed = None,
    store: options.Store = options.STORE,
    version: options.Version = None,
    url: options.PredictorUrl = None,
    combine: Combine = False,
    top_k: options.TopK = None,
    charset: options.Charset = None,
    pattern: options.Pattern = None,
    allowed: options.Allowed = None,
    check_digit: options.CheckDigit = None,
    allowed_threshold: options.AllowedThreshold = None,
    fold_case: options.FoldCase = None,
    min_length: options.MinLength = None,
    max_length: options.MaxLength = None,
    min_confidence: options.MinConfidence = None,
    crop: options.Crop = None,
    as_csv: Csv = False,
    as_json: options.Json = False,
) -> None:
    """Read images.

    Example: readsmith predict captcha.png --url http://127.0.0.1:8080
    """
    from readsmith.options.prediction import prediction_options
    from readsmith.services.readers import open_reader

    if as_csv and (as_json or combine):
        other = "--json" if as_json else "--combine"
        raise typer.BadParameter(f"Give --csv or {other}, not both.")
    asked = prediction_options(
        model=model,
        version=version,
        top_k=top_k,
        charset=charset,
        pattern=pattern,
        allowed=allowed,
        check_digit=check_digit,
        allowed_threshold=allowed_threshold,
        fold_case=fold_case,
        min_length=min_length,
        max_length=max_length,
        min_confidence=min_confidence,
        crop=crop,
    )
    reader = open_reader(store, url, asked)
    if combine:
        combined = _combined(reader, _files(images))
        print_json(combined) if as_json else _print_combined(combined, asked)
        return
    results = list(_results(reader, _files(images)))
    if as_json:
        print_json({"results": results})
    else:
        (_print_csv if as_csv else _print)(results, asked)
        _print_notes(results)
    if any("error" in result for result in results):
        raise typer.Exit(FAILED)


def _combined(reader: "Reader", found: Iterator[Path]) -> dict[str, Any]:
    """Read files as shots of one thing; those that cannot be read are left out."""
    from shared.api.predictions import MOST_SHOTS

    files = list(islice(found, MOST_SHOTS + 1))
    if len(files) > MOST_SHOTS:
        raise TooLargeError(
            "too_many_images",
            f"There are more than {MOST_SHOTS} images.",
            f"Give at most {MOST_SHOTS} shots of one thing.",
        )
    loaded = [_load(file) for file in files]
    sent = [place for place, data in enumerate(loaded) if isinstance(data, bytes)]
    if not sent:
        raise next(error for error in loaded if isinstance(error, ReadsmithError))
    answer = reader.combine([data for data in loaded if isinstance(data, bytes)])
    frames = [
        {"file": str(file)} | ({} if isinstance(data, bytes) else _error(data))
        for file, data in zip(files, loaded, strict=True)
    ]
    for place, frame in zip(sent, answer["frames"], strict=True):
        frames[place] |= _problem_error(frame["error"]) if "error" in frame else frame
    best = answer["frame"]
    return answer | {"frame": None if best is None else sent[best], "frames": frames}


def _problem_error(problem: dict[str, Any]) -> dict[str, Any]:
    about = {"code": problem["code"], "message": problem["detail"], "hint": problem["hint"]}
    return {"error": about}


def _error(error: ReadsmithError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files, and those with an image's ending in the folders."""
    for path in paths:
        yield from _images(path) if path != STDIN and path.is_dir() else [path]


def _images(folder: Path) -> list[Path]:
    from trainer.pipeline.datasets.sources.image_files import IMAGE_ENDINGS
    from trainer.pipeline.datasets.sources.source import FolderSource

    files = map(folder.joinpath, FolderSource(folder).names())
    images = [file for file in files if file.suffix.lower() in IMAGE_ENDINGS]
    if not images:
        raise DatasetError(
            "no_images",
            f"There is no image in {folder}.",
            f"Endings of images: {' '.join(sorted(IMAGE_ENDINGS))}",
        )
    return images


def _results(reader: "Reader", files: Iterator[Path]) -> Iterator[dict[str, Any]]:
    while batch := list(islice(files, BATCH)):
        loaded = [_load(file) for file in batch]
        answers = iter(reader.read([data for data in loaded if isinstance(data, bytes)]))
        for file, data in zip(batch, loaded, strict=True):
            answer = next(answers) if isinstance(data, bytes) else data
            told = _error(answer) if isinstance(answer, ReadsmithError) else answer
            yield {"file": str(file)} | told


def _load(file: Path) -> bytes | ReadsmithError:
    try:
        with nullcontext(sys.stdin.buffer) if file == STDIN else file.open("rb") as source:
            data = source.read(MOST_BYTES + 1)
    except OSError as error:
        return FailedError(
            "unreadable_file",
            f"The file cannot be read: {error.strerror}.",
            "See that it is a file, and that this user may read it.",
        )
    if len(data) <= MOST_BYTES:
        return data
    return ImageTooLargeError(
        "image_too_large",
        f"The image has more than {MOST_BYTES:,} bytes.",
        "Save it again, as a plain PNG.",
    )


def _print_csv(results: Sequence[dict[str, Any]], asked: "PredictionOptions") -> None:
    """Print a line for each image; texts that spreadsheets would run begin with an apostrophe."""
    others = range(2, (asked.top_k or 1) + 1)
    columns = ["file", "text", "confidence"]
    if asked.min_confidence is not None:
        columns.append("accepted")
    columns += [f"{name}_{n}" for n in others for name in ("text", "confidence")]
    columns += ["model", "version", "error"]
    table = io.StringIO()
    writer = csv.DictWriter(table, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for result in results:
        row = result | {"error": result["error"]["message"] if "error" in result else None}
        for n, other in enumerate(result.get("alternatives", ())[1:], 2):
            row |= {f"{name}_{n}": other[name] for name in ("text", "confidence")}
        writer.writerow({name: _csv_value(value) for name, value in row.items()})
    say(out, table.getvalue().rstrip("\n"))


def _csv_value(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return csv_cell(value) if isinstance(value, str) else value


def _print(results: Sequence[dict[str, Any]], asked: "PredictionOptions") -> None:
    columns = ["image", "text", "confidence"]
    if asked.min_confidence is not None:
        columns.append("accepted")
    if asked.top_k is not None:
        columns.append("alternatives")
    rows = [[_cell(result, column) for column in columns] for result in results]
    print_table(columns, rows)


def _print_combined(combined: dict[str, Any], asked: "PredictionOptions") -> None:
    rows = [[_cell(frame, column) for column in SHOT_COLUMNS] for frame in combined["frames"]]
    print_table(SHOT_COLUMNS, rows)
    say(out, f"Together: {prediction(combined['text'])}, {percent(combined['confidence'])}")
    if asked.min_confidence is not None:
        say(out, f"Accepted: {_cell(combined, 'accepted')}")
    if asked.top_k is not None:
        say(out, f"Alternatives: {_cell(combined, 'alternatives')}")
    _print_notes([combined])


def _print_notes(results: Sequence[dict[str, Any]]) -> None:
    for note in dict.fromkeys(result["note"] for result in results if "note" in result):
        say(err, note)


def _cell(result: dict[str, Any], column: str) -> str:
    if column == "image":
        return str(result["file"])
    if "error" in result:
        said = result["error"]
        return f"Error: {said['message']} {said['hint']}".rstrip() if column == "text" else ""
    if column == "text":
        return prediction(result["text"])
    if column in ("accepted", "agrees"):
        return "yes" if result[column] else "no"
    if column == "alternatives":
        others = result["alternatives"][1:]
        return ", ".join(f"{each['text']} {percent(each['confidence'])}" for each in others)
    return percent(result["confidence"])
