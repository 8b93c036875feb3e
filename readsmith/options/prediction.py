"""From command-line options to those of a prediction."""

from pathlib import Path

import typer

from predictor.requests.options import PredictionOptions, check_lengths, options_of
from readsmith.options.allowed import allowed_texts
from shared.errors import UnusableError


def prediction_options(allowed: Path | None = None, **given: object) -> PredictionOptions:
    """Check options as the predictor does; None is what was not given.

    allowed: a file of texts. Raises typer.BadParameter.
    """
    texts = {name: str(value) for name, value in given.items() if value is not None}
    try:
        options = options_of(texts)
        check_lengths(options)
    except UnusableError as error:
        raise typer.BadParameter(f"{error.message} {error.hint}") from error
    return options.model_copy(update={"allowed": allowed_texts(allowed)}) if allowed else options
