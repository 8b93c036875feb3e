"""`readsmith evaluate`: how well a published version reads labelled images."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from readsmith import output
from readsmith.options import options
from readsmith.output import interval, out, percent, print_json, print_table, say
from shared.errors import DatasetError, ReadsmithError
from shared.patterns.limits import Limits
from shared.recognition.scoring import Score, wilson_interval

if TYPE_CHECKING:
    from predictor.requests.options import PredictionOptions
    from readsmith.published import Published

BATCH = 64
LISTED = 20
"""So many wrong predictions are shown in the table; --json holds all."""


def evaluate(
    dataset: options.Dataset,
    model: options.ModelIfNamed = None,
    store: options.Store = options.STORE,
    version: options.Version = None,
    labels: options.Labels = "auto",
    state: options.State = options.STATE,
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
    as_json: options.Json = False,
) -> None:
    """Measure a published version on labelled images, through the serving engine.

    Within limits (a pattern, a charset, lengths) it is measured without them, too.

    Example: readsmith evaluate new-captchas.zip --model captcha
    """
    from readsmith.options.job_request import dataset_limits, fetched, job_request
    from readsmith.options.prediction import prediction_options
    from readsmith.published import default_model, load
    from trainer.pipeline.datasets.load import labelled_images

    request = job_request(dataset, labels)
    given = prediction_options(
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
    )
    published = load(store, model or default_model(store), version)
    asked = given.with_settings(published.settings, published.engine.require_possible)
    source = fetched(dataset, request, state)
    limits, whole = dataset_limits(), published.engine.detects
    images = labelled_images(source, request.labels, limits, whole=whole)
    predictions = list(_predictions(published, images, asked))
    if not predictions:
        raise _no_images(source)
    report = {
        "model": published.engine.manifest.model,
        "version": published.engine.manifest.version,
        **_report(predictions, asked),
    }
    if as_json:
        print_json(report)
    else:
        _print(report)


def _no_images(source: Path) -> DatasetError:
    return DatasetError(
        "no_images",
        f"There is no usable labelled image in {source}.",
        "readsmith datasets check DATASET says why each was left out.",
    )


def _predictions(
    published: "Published", images: Iterator[tuple[str, str, bytes]], asked: "PredictionOptions"
) -> Iterator[dict[str, Any]]:
    """Yield for every image its file, its truth and what the predictor would answer.

    Within limits there is also the text without them.
    """
    while batch := list(islice(images, BATCH)):
        data = [data for _, _, data in batch]
        answers = list(published.read(data, asked))
        free = published.engine.predict(data) if _limited(asked) else ()
        for place, (name, truth, _) in enumerate(batch):
            if isinstance(answer := answers[place], ReadsmithError):
                raise answer
            without = {"text_without_limits": free[place].text} if free else {}
            yield {"file": name, "truth": truth, **answer, **without}


def _limited(asked: "PredictionOptions") -> bool:
    return asked.limits != Limits()


def _report(predictions: list[dict[str, Any]], asked: "PredictionOptions") -> dict[str, Any]:
    report = _score((prediction["truth"], prediction["text"]) for prediction in predictions)
    if _limited(asked):
        report["without_limits"] = _score(
            (prediction["truth"], prediction["text_without_limits"]) for prediction in predictions
        )
    if asked.top_k is not None:
        report["among_alternatives"] = _among_alternatives(predictions, asked.top_k)
    if asked.min_confidence is not None:
        report["accepted"] = _accepted(predictions, asked.min_confidence)
    if unreadable := [each for each in predictions if not each["truth"]]:
        empty = sum(not each["text"] for each in unreadable)
        report["unreadable"] = {"images": len(unreadable), "empty": empty}
    report["wrong"] = [
        prediction
        for prediction in predictions
        if prediction["truth"] != (prediction["text"] or "")
    ]
    return report


def _score(pairs: Iterable[tuple[str, str | None]]) -> dict[str, Any]:
    """Score (truth, text) pairs; no text counts as an empty one."""
    score = Score.of((truth, text or "") for truth, text in pairs)
    return asdict(score) | {
        "exact_match": score.exact_match,
        "exact_match_interval": wilson_interval(score.exact, score.images),
        "cer": score.cer,
    }


def _among_alternatives(predictions: list[dict[str, Any]], top_k: int) -> dict[str, Any]:
    exact = sum(
        prediction["truth"] in (each["text"] for each in prediction["alternatives"])
        for prediction in predictions
    )
    return {"top_k": top_k, "exact": exact, "exact_match": exact / len(predictions)}


def _accepted(predictions: list[dict[str, Any]], min_confidence: float) -> dict[str, Any]:
    accepted = [prediction for prediction in predictions if prediction["accepted"]]
    wrong = sum(prediction["truth"] != (prediction["text"] or "") for prediction in accepted)
    return {
        "min_confidence": min_confidence,
        "images": len(accepted),
        "share": len(accepted) / len(predictions),
        "wrong": wrong,
        "wrong_share": wrong / len(accepted) if accepted else 0.0,
        "wrong_interval": wilson_interval(wrong, len(accepted)),
    }


def _print(report: dict[str, Any]) -> None:
    name = f"{report['model']} version {report['version']}"
    if (free := report.get("without_limits")) is None:
        say(out, f"{name}: {_rates(report)}")
    else:
        say(out, f"{name} within the limits: {_rates(report)}")
        say(out, f"Without them: {_rates(free)}")
    if (found := report.get("among_alternatives")) is not None:
        say(
            out,
            f"Among the {found['top_k']} likeliest texts: {found['exact']} of {report['images']} "
            f"images right, {percent(found['exact_match'])}.",
        )
    if (accepted := report.get("accepted")) is not None:
        say(
            out,
            f"From confidence {accepted['min_confidence']}: {accepted['images']} of "
            f"{report['images']} images accepted, {percent(accepted['share'])}; of these "
            f"{accepted['wrong']} wrong, {percent(accepted['wrong_share'])} "
            f"({interval(accepted['wrong_interval'])}).",
        )
    if (unreadable := report.get("unreadable")) is not None:
        say(out, output.unreadable_line(unreadable["empty"], unreadable["images"]))
    _print_wrong(report["wrong"])


def _rates(score: dict[str, Any]) -> str:
    return (
        f"{score['exact']} of {score['images']} images right, {percent(score['exact_match'])} "
        f"({interval(score['exact_match_interval'])}), CER {percent(score['cer'])}."
    )


def _print_wrong(wrong: list[dict[str, Any]]) -> None:
    if wrong:
        rows = [
            (
                each["file"],
                output.label(each["truth"]),
                output.prediction(each["text"]),
                percent(each["confidence"]),
            )
            for each in wrong
        ]
        print_table(("wrong", "truth", "prediction", "confidence"), rows[:LISTED])
    if len(wrong) > LISTED:
        say(out, f"… and {len(wrong) - LISTED} more; --json lists all.")
