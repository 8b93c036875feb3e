"""Published versions with a report, as training leaves it, of images of stripes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.store.manifest import Manifest
from shared.store.store import ModelStore
from tests.support.models.bundles import png, publish
from trainer.pipeline.evaluation.report.mistakes import describe_mistakes

Prediction = tuple[str, str]
"""What the label says, and what was read."""


def report_files(tested: Sequence[Prediction], suspects: dict[str, Prediction]) -> dict[str, bytes]:
    """Return a report's files. suspects: of file names of the dataset; all images show `text`."""
    wrong = [pair for pair in tested if pair[0] != pair[1]]
    metrics = {
        **describe_mistakes(tested),
        "suspects": [_described(file, *pair) for file, pair in suspects.items()],
    }
    files = {"report/metrics.json": json.dumps(metrics).encode()}
    rows = ["image,file,truth,text,confidence"]
    for number, (truth, text) in enumerate(wrong, 1):
        files[f"report/worst/{number:02}.png"] = png(text)
        rows.append(f"{number:02}.png,wrong{number}.png,{truth},{text},0.75")
    files["report/worst/worst.csv"] = "\n".join(rows).encode()
    rows = ["filename,text"]
    for number, (truth, text) in enumerate(tested, 1):
        files[f"report/held_out/{number:04}.png"] = png(text)
        rows.append(f"{number:04}.png,{truth}")
    files["report/held_out/labels.csv"] = "\n".join(rows).encode()
    return files


def publish_with_report(
    store: ModelStore,
    build: Path,
    model: str,
    tested: Sequence[Prediction] = (("abc", "abc"), ("ab", "aa"), ("c", "c")),
    suspects: dict[str, Prediction] | None = None,
    **options: Any,
) -> Manifest:
    """Publish a version whose report tells these predictions; options as for publish."""
    files = report_files(tested, suspects or {})
    return publish(store, build, model=model, files=files, **options)


def _described(file: str, truth: str, text: str) -> dict[str, Any]:
    return {"file": file, "truth": truth, "text": text, "confidence": 0.9}
