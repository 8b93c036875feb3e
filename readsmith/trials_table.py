"""The trials of a search as a table."""

from collections.abc import Sequence

from readsmith.output import percent, print_table
from shared.api.jobs import Trial, value_text


def print_trials(trials: Sequence[Trial]) -> None:
    """Print the trials, those that were trained to their end first, the best of them on top."""
    names = list(trials[0].parameters) if trials else []
    rows = [
        (
            trial.number,
            *(value_text(trial.parameters[name]) for name in names),
            trial.status,
            _share(trial.exact_match),
            _share(trial.cer),
            trial.epochs,
            f"{trial.seconds:.0f}",
        )
        for trial in sorted(trials, key=_place)
    ]
    print_table(("trial", *names, "status", "exact match", "CER", "epochs", "seconds"), rows)


def _place(trial: Trial) -> tuple[bool, float, float, int]:
    cer = 1.0 if trial.cer is None else trial.cer
    return trial.status != "finished", -(trial.exact_match or 0.0), cer, trial.number


def _share(share: float | None) -> str:
    return "" if share is None else percent(share)
