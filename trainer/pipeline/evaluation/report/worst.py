"""Reads the worst predictions from a version's report."""

import csv
from pathlib import Path
from typing import Any

from shared.store.manifest import REPORT
from shared.texts import text_of_cell


def worst_predictions(bundle: Path) -> list[dict[str, Any]]:
    """Return a bundle's wrong predictions that have an image, the most confident first.

    image: the file in the bundle; file, truth, text, confidence: as in the evaluation.
    """
    worst = bundle / REPORT / "worst"
    try:
        with (worst / "worst.csv").open(newline="", encoding="utf-8") as file:
            rows = [
                {name: text_of_cell(cell) for name, cell in row.items()}
                for row in csv.DictReader(file)
            ]
    except FileNotFoundError:
        return []
    return [
        {
            # The first release called the column picture.
            "image": f"{REPORT}/worst/{row.pop('image', None) or row.pop('picture')}",
            **row,
            "confidence": float(row["confidence"]),
        }
        for row in rows
    ]
