"""`readsmith learning-curve`: how much more labels would help."""

import contextlib
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from readsmith.library_logs import without_library_logs
from readsmith.options import options
from readsmith.output import err, interval, out, percent, print_json, print_table, say

if TYPE_CHECKING:
    from trainer.pipeline.evaluation.power_law import Forecast, Point
    from trainer.schemas.job_request import JobRequest


def learning_curve(
    dataset: options.Dataset,
    labels: options.Labels = "auto",
    preset: options.Preset = None,
    seed: options.Seed = 0,
    epochs: options.Epochs = None,
    max_minutes: options.MaxMinutes = 3.0,
    state: options.State = options.STATE,
    as_json: options.Json = False,
) -> None:
    """Tell how much more labels would help: trains on 25, 50 and 100 % of them, publishes nothing.

    Each of the three trainings ends after --max-minutes at the latest.

    Example: readsmith learning-curve captchas.zip
    """
    from readsmith.options.job_request import fetched, job_request
    from trainer.pipeline.evaluation.power_law import forecast

    request = job_request(
        dataset, labels, preset=preset, seed=seed, epochs=epochs, max_minutes=max_minutes
    )
    # Libraries print; stdout is for the result.
    with without_library_logs(), contextlib.redirect_stdout(sys.stderr):
        points = _points(fetched(dataset, request, state), request)
    expected = forecast(points)
    if as_json:
        print_json(_as_json(points, expected))
    else:
        _print(points, expected)


def _points(source: Path, request: "JobRequest") -> "list[Point]":
    from readsmith.options.job_request import dataset_limits
    from readsmith.progress_display import TrainingDisplay
    from trainer.pipeline.evaluation.learning_curve import learning_curve as measure

    with tempfile.TemporaryDirectory(prefix="readsmith-") as work, TrainingDisplay(err) as display:
        return measure(source, request, display, Path(work), dataset_limits())


def _as_json(points: "Sequence[Point]", expected: "Forecast | None") -> dict[str, Any]:
    return {
        "points": [
            asdict(point)
            | {"exact_match": point.exact_match, "exact_match_interval": point.interval}
            for point in points
        ],
        "forecast": None if expected is None else asdict(expected),
        "conclusion": conclusion(points, expected),
    }


def _print(points: "Sequence[Point]", expected: "Forecast | None") -> None:
    rows = [
        (
            point.labels,
            percent(point.exact_match),
            f"{percent(point.interval[0])} to {percent(point.interval[1])}",
            f"{point.exact} of {point.images}",
        )
        for point in points
    ]
    print_table(("labels", "exact match", "95 % interval", "held-out images right"), rows)
    say(out, conclusion(points, expected))


def conclusion(points: "Sequence[Point]", expected: "Forecast | None") -> str:
    """Say in plain words what more labels would bring, and how sure that is."""
    images = points[-1].images
    if expected is None:
        return (
            "Too few of the trainings learned to read, so nothing can be foretold. Give more "
            "labels, or more time with --max-minutes."
        )
    if points[-1].exact == images:
        return (
            f"All {images} held-out images are predicted correctly, so they cannot show what more "
            f"labels would bring. Of others like them at least {percent(points[-1].interval[0])} "
            "would be correct (95 % interval)."
        )
    left, match = expected.errors_left, expected.exact_match
    gain = (
        f"Twice the labels cut the errors by about {100 * (1 - left.value):.0f} % "
        f"(95 % interval {100 * (1 - left.high):.0f} to {100 * (1 - left.low):.0f} %)."
        if left.high < 1
        else "Whether more labels would help cannot be told from these runs: twice the labels "
        f"leave {100 * left.low:.0f} to {100 * left.high:.0f} % of the errors."
    )
    return (
        f"{gain} Expect about {percent(match.value)} with {expected.labels:,} labels "
        f"({interval((match.low, match.high))}), if the errors go on "
        f"falling so. This rests on one training for each row and on {images} held-out images."
    )
