"""From runs to the rows of the table: ours beside the reference and the target."""

import statistics
from collections.abc import Callable, Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from benchmarks.measurement import Run, Side
from benchmarks.parts import PLATES_MINUTES

MIN_SPEED_UP = 6.0
MIN_EXACT = {
    "V2": 0.995,
    "V2, 10 labels": 0.55,
    "V2, 25 labels": 0.88,
    "V2, 50 labels": 0.96,
    "V2, 100 labels": 0.985,
    "V2, 200 labels": 0.995,
    "plates": 0.95,
}
MIN_EXACT_DRAWN = 0.97
MAX_PEAK_BYTES = 2.5e9
MAX_TIME_RATIO = 1.2


class Row(BaseModel):
    """One row of the table, with formatted figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    reference: str
    ours: str
    ratio: str
    target: str
    reached: bool | None
    """None without a target."""


def rows(part: str, runs: Sequence[Run]) -> list[Row]:
    """Return the rows of a part, for the runs so far."""
    return list(ROWS[part](runs))


def _v2(runs: Sequence[Run]) -> Iterator[Row]:
    yield from _speed(runs)
    yield from _exact(runs)


def _speed(runs: Sequence[Run]) -> Iterator[Row]:
    pairs = list(zip(_of(runs, "reference"), _of(runs, "ours"), strict=False))
    if not pairs:
        return
    ratios = [_speed_up(reference, ours) for reference, ours in pairs]
    bound = any(ours.seconds_to_99 and not reference.seconds_to_99 for reference, ours in pairs)
    yield Row(
        what="V2: training seconds until 99 % on validation (median)",
        reference=_seconds([reference for reference, _ in pairs]),
        ours=_seconds([ours for _, ours in pairs]),
        ratio=("at least " if bound else "") + spread(ratios, "{:.1f}×"),
        target=f"≥ {MIN_SPEED_UP:.0f}×",
        reached=statistics.median(ratios) >= MIN_SPEED_UP,
    )


def _speed_up(reference: Run, ours: Run) -> float:
    """Return the reference's seconds over ours; 0 if ours never reached 99 %.

    A reference that never reached it counts with all its seconds: a lower bound.
    """
    if ours.seconds_to_99 is None:
        return 0.0
    return (reference.seconds_to_99 or reference.train_seconds) / ours.seconds_to_99


def _seconds(runs: Sequence[Run]) -> str:
    reached = [run.seconds_to_99 for run in runs if run.seconds_to_99 is not None]
    missed = len(runs) - len(reached)
    note = f"; {missed} of {len(runs)} not reached" if missed else ""
    return (spread(reached, "{:.0f} s") if reached else "–") + note


def _exact(runs: Sequence[Run]) -> Iterator[Row]:
    """Yield a row for each set and number of labels."""
    for name in dict.fromkeys(map(_name, runs)):
        of_set = [run for run in runs if _name(run) == name]
        ours = _of(of_set, "ours")
        if not ours:
            continue
        target = MIN_EXACT.get(name, MIN_EXACT_DRAWN)
        minutes = f", within {PLATES_MINUTES:.0f} minutes" if name == "plates" else ""
        yield Row(
            what=f"{name}: exact match on test{minutes} (mean)",
            reference=_share(_of(of_set, "reference")),
            ours=_share(ours),
            ratio="",
            target=f"≥ {100 * target:g} %",
            reached=statistics.mean(run.exact_match for run in ours) >= target,
        )


def _starter(runs: Sequence[Run]) -> Iterator[Row]:
    """Yield rows with random weights in the reference's column."""
    for name in dict.fromkeys(map(_name, runs)):
        of_set = [run for run in runs if _name(run) == name]
        fresh, ours = _of(of_set, "fresh"), _of(of_set, "ours")
        if fresh and ours:
            yield Row(
                what=f"{name}: exact match on test, and seconds to 99 %, beside random weights",
                reference=f"{_share(fresh)}; {_seconds(fresh)}",
                ours=f"{_share(ours)}; {_seconds(ours)}",
                ratio="",
                target="",
                reached=None,
            )


def _sets(runs: Sequence[Run]) -> Iterator[Row]:
    """Yield rows with an earlier checkout in the reference's column."""
    for name in dict.fromkeys(map(_name, runs)):
        of_set = [run for run in runs if _name(run) == name]
        earlier, ours = _of(of_set, "earlier"), _of(of_set, "ours")
        if not ours:
            continue
        pairs = list(zip(earlier, ours, strict=False))
        faster = [after.total_seconds / before.total_seconds for before, after in pairs]
        yield Row(
            what=f"{name}: exact match on test (mean), and wrong images of all draws",
            reference=f"{_share(earlier)}; {_wrong(earlier)}",
            ours=f"{_share(ours)}; {_wrong(ours)}",
            ratio=f"{spread(faster, '{:.2f}×')} of the seconds" if faster else "",
            target="",
            reached=None,
        )


def _wrong(runs: Sequence[Run]) -> str:
    images = sum(run.test_images for run in runs)
    return f"{images - sum(run.exact for run in runs)} of {images}"


def _name(run: Run) -> str:
    limit = run.measurement.limit_images
    return f"{run.measurement.set}, {limit} labels" if limit else run.measurement.set


def _share(runs: Sequence[Run]) -> str:
    shares = [100 * run.exact_match for run in runs]
    return spread(shares, "{:.1f} %", statistics.mean) if shares else "–"


def _scale(runs: Sequence[Run]) -> Iterator[Row]:
    """Yield rows with the small set in the reference's column."""
    for few, many in zip(runs[::2], runs[1::2], strict=False):
        small, large = few.measurement.set, many.measurement.set
        further = (many.peak_bytes - few.peak_bytes) / (_images(many) - _images(few))
        yield Row(
            what=f"Peak memory of training on {large}, beside {small}",
            reference=f"{few.peak_bytes / 1e9:.2f} GB",
            ours=f"{many.peak_bytes / 1e9:.2f} GB",
            ratio=f"{further:,.0f} bytes per further image",
            target=f"< {MAX_PEAK_BYTES / 1e9:.1f} GB",
            reached=many.peak_bytes < MAX_PEAK_BYTES,
        )
        slower = many.seconds_per_image / few.seconds_per_image
        yield Row(
            what=f"Time per trained image, reading included, {large} beside {small}",
            reference=f"{1000 * few.seconds_per_image:.2f} ms",
            ours=f"{1000 * many.seconds_per_image:.2f} ms",
            ratio=f"{slower:.2f}×",
            target=f"≤ {MAX_TIME_RATIO}×",
            reached=slower <= MAX_TIME_RATIO,
        )


ROWS: dict[str, Callable[[Sequence[Run]], Iterator[Row]]] = {
    "v2": _v2,
    "labels": _exact,
    "starter": _starter,
    "plates": _exact,
    "sets": _sets,
    "drawn": _exact,
    "scale": _scale,
    "streamed": _scale,
}


def _images(run: Run) -> int:
    return run.train_images + run.validation_images + run.test_images


def _of(runs: Sequence[Run], side: Side) -> list[Run]:
    return [run for run in runs if run.measurement.side == side]


def spread(
    values: Sequence[float],
    style: str,
    middle: Callable[[Sequence[float]], float] = statistics.median,
) -> str:
    """Format the middle, and the minimum and maximum of several values."""
    text = style.format(middle(values))
    if len(values) == 1:
        return text
    return f"{text} ({style.format(min(values))} to {style.format(max(values))})"
