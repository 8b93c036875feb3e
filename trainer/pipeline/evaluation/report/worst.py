"""Reads back which readings a version's report shows pictures of."""

import csv
from pathlib import Path
from typing import Any

from shared.store.manifest import REPORT


def worst_readings(bundle: Path) -> list[dict[str, Any]]:
    """Return what a bundle tells of its wrong readings that have a picture, the surest first.

    picture: the file in the bundle; file, truth, text, confidence: as in the evaluation.
    """
    worst = bundle / REPORT / "worst"
    try:
        with (worst / "worst.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        return []
    return [
        {
            **row,
            "picture": f"{REPORT}/worst/{row['picture']}",
            "confidence": float(row["confidence"]),
        }
        for row in rows
    ]
