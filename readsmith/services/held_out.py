"""Reads a version's held-out images through a running predictor."""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from readsmith.client import Client, Prediction, ServiceError
from shared.errors import FailedError
from shared.texts import text_of_cell

FOLDER = Path("report/held_out")
RELOAD_SECONDS = 60.0
"""A published version must be served within this time."""
NOT_YET = (404, 503)
"""Statuses of a predictor that does not serve the model yet."""


@dataclass(frozen=True)
class HeldOutPrediction:
    """An image that training never saw, what it says, and what the predictor answered."""

    file: Path
    truth: str
    text: str | None
    confidence: float

    @property
    def correct(self) -> bool:
        """True if the whole text is right."""
        return self.truth == self.text


def read_held_out(
    client: Client, bundle: Path, model: str, version: int, watch: Callable[[], None]
) -> list[HeldOutPrediction]:
    """Read every held-out image of a bundle with this very version.

    A worker process of the predictor may still serve the version before: it is asked again.
    Raises ReadsmithError not_served if that lasts, or the predictor's own refusal.
    """
    deadline = time.monotonic() + RELOAD_SECONDS
    predictions = []
    for file, truth in _labels(bundle / FOLDER):
        image = file.read_bytes()
        while (prediction := _prediction(client, image, model, version)) is None:
            watch()
            if time.monotonic() > deadline:
                raise FailedError(
                    "not_served",
                    f"The predictor does not serve {model} version {version} "
                    f"{RELOAD_SECONDS:.0f} s after it was published.",
                    f"{client.predictor_url}/readyz tells why.",
                )
            time.sleep(0.2)
        predictions.append(HeldOutPrediction(file, truth, prediction.text, prediction.confidence))
    return predictions


def _labels(folder: Path) -> list[tuple[Path, str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return [
            (folder / row["filename"], text_of_cell(row["text"])) for row in csv.DictReader(file)
        ]


def _prediction(client: Client, image: bytes, model: str, version: int) -> Prediction | None:
    """Return the prediction, None if it does not come from the wanted version yet."""
    try:
        prediction = client.predict(image, model=model)
    except ServiceError as error:
        if error.status in NOT_YET:
            return None
        raise
    return prediction if prediction.version == version else None
