"""`readsmith evaluate`: how well a published version reads labelled images."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from readsmith import options
from readsmith.output import out, percent, print_json, print_table, say
from shared.errors import ReadsmithError
from shared.scoring import Score, wilson_interval

if TYPE_CHECKING:
    from predictor.engine import Engine

BATCH = 64
LISTED = 20
"""So many wrong readings are shown in the table; --json holds all."""


def evaluate(
    dataset: options.Dataset,
    model: options.Model = "default",
    store: options.Store = options.STORE,
    version: options.Version = None,
    labels: options.Labels = "auto",
    state: options.State = options.STATE,
    as_json: options.Json = False,
) -> None:
    """Measure a published version on labelled images, through the serving engine.

    Example: readsmith evaluate new-captchas.zip --model captcha
    """
    from readsmith.published import load_engine
    from readsmith.request import fetched, job_request
    from trainer.stages.dataset import labelled_images

    request = job_request(dataset, labels)
    engine, manifest = load_engine(store, model, version)
    source = fetched(dataset, request, state)
    readings = list(_readings(engine, labelled_images(source, request.labels)))
    report = {"model": model, "version": manifest.version, **_report(readings, source)}
    if as_json:
        print_json(report)
    else:
        _print(report)


def _readings(
    engine: "Engine", images: Iterator[tuple[str, str, bytes]]
) -> Iterator[dict[str, Any]]:
    while batch := list(islice(images, BATCH)):
        for (name, truth, _), reading in zip(
            batch, engine.read([data for _, _, data in batch]), strict=True
        ):
            yield {
                "file": name,
                "truth": truth,
                "text": reading.text,
                "confidence": reading.confidence,
            }


def _report(readings: list[dict[str, Any]], source: Path) -> dict[str, Any]:
    if not readings:
        raise ReadsmithError(
            "no_images",
            f"There is no usable labelled image in {source}.",
            "readsmith check DATASET says why each was left out.",
        )
    score = Score.of((reading["truth"], reading["text"]) for reading in readings)
    return {
        "images": score.images,
        "exact": score.exact,
        "exact_match": score.exact_match,
        "exact_match_interval": wilson_interval(score.exact, score.images),
        "cer": score.cer,
        "edits": score.edits,
        "characters": score.characters,
        "wrong": [reading for reading in readings if reading["truth"] != reading["text"]],
    }


def _print(report: dict[str, Any]) -> None:
    low, high = report["exact_match_interval"]
    say(
        out,
        f"{report['model']} version {report['version']}: {report['exact']} of {report['images']} "
        f"images right, {percent(report['exact_match'])} "
        f"(95 % interval {percent(low)} to {percent(high)}), CER {percent(report['cer'])}.",
    )
    wrong = report["wrong"]
    if wrong:
        rows = [(w["file"], w["truth"], w["text"], percent(w["confidence"])) for w in wrong]
        print_table(("wrong", "truth", "reading", "confidence"), rows[:LISTED])
    if len(wrong) > LISTED:
        say(out, f"… and {len(wrong) - LISTED} more; --json lists all.")
