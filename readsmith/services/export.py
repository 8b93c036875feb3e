"""Writes a version as a folder that reads without Readsmith: the network, and a file of Python."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from predictor.models.engine import Engine
from shared.errors import ConflictError, FailedError, UnusableError
from shared.store.manifest import ONNX_MODEL, Manifest
from shared.store.records.record import ModelSettings

READER = "read.py"
MOST_DIFFERENT = 0.005
"""Share of the texts of a version's own images in which the export may differ from Readsmith."""
MOST_IMAGES = 500
SECONDS = 600.0


def export_python(
    engine: Engine, settings: ModelSettings, bundle: Path, target: Path
) -> tuple[int, int]:
    """Write the folder; return how many images both read, and how many texts differ.

    bundle: the version's folder. Raises UnusableError for options that the export does not follow,
    ConflictError for a target that is there, FailedError if more than MOST_DIFFERENT texts differ;
    then nothing is written.
    """
    manifest = engine.manifest
    _require_followed(manifest, settings)
    if target.exists():
        raise ConflictError(
            "target_exists", f"{target} exists already.", "Name a folder that does not."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as work:
        folder = Path(work, "export")
        folder.mkdir()
        shutil.copyfile(bundle / ONNX_MODEL, folder / ONNX_MODEL)
        (folder / READER).write_text(_reader(manifest), encoding="utf-8")
        images = list(_images(bundle))[:MOST_IMAGES]
        if not images:
            raise _refused(manifest, "the version holds no images to compare on")
        different = _different(engine, folder, images)
        if different > MOST_DIFFERENT * len(images):
            raise FailedError(
                "predictions_differ",
                f"Of {len(images)} images the exported file reads {different} otherwise.",
                "Please report it with the version's manifest; nothing was written.",
            )
        folder.rename(target)
    return len(images), different


def _require_followed(manifest: Manifest, settings: ModelSettings) -> None:
    refused = {
        "its text runs from right to left": manifest.image.direction == "rtl",
        "a detector finds its lines in photographs": manifest.detector is not None,
        "its images have two rows of text": manifest.image.rows != 1,
        "the model has a pattern of its own": settings.pattern is not None,
        "the model has a list of allowed texts": settings.allowed is not None,
        "the model has a rule for check digits": settings.check_digit is not None,
    }
    for why in (why for why, is_so in refused.items() if is_so):
        raise _refused(manifest, f"{why}, which the exported file would not follow")


def _refused(manifest: Manifest, why: str) -> UnusableError:
    return UnusableError(
        "not_exportable",
        f"{manifest.model} version {manifest.version} cannot be exported: {why}.",
        "Read with the service, or drop what the model was given: readsmith models --help.",
    )


def _reader(manifest: Manifest) -> str:
    """Return the file, with the version's vocabulary and preprocessing in it.

    Raises AssertionError if standalone.py has no longer the lines that they stand in.
    """
    source = Path(__file__).with_name("standalone.py").read_text(encoding="utf-8")
    vocabulary = "".join(manifest.vocabulary)
    image = manifest.image.model_dump(mode="json", exclude={"direction", "rows"})
    for line, value in (
        ("  # noqa: T201", ""),
        ('VOCABULARY = ""', f"VOCABULARY = {vocabulary!a}"),
        ('json.loads("{}")', f"json.loads({json.dumps(json.dumps(image))})"),
    ):
        if source.count(line) != 1:
            raise AssertionError(line)
        source = source.replace(line, value)
    return source


def _images(bundle: Path) -> Iterator[Path]:
    """Yield a version's own images: the held-out ones of its report, and the golden ones."""
    for folder in ("report/held_out", "golden"):
        yield from sorted(
            each for each in (bundle / folder).glob("*") if each.suffix not in (".csv", ".json")
        )


def _different(engine: Engine, folder: Path, images: list[Path]) -> int:
    command = [sys.executable, str(folder / READER), *map(str, images)]
    ended = subprocess.run(  # noqa: S603 - this Python, on the file just written
        command, capture_output=True, timeout=SECONDS, check=False
    )
    texts = [line.partition("\t")[2] for line in ended.stdout.decode().splitlines()]
    if len(texts) != len(images):
        return len(images)
    read = engine.predict([each.read_bytes() for each in images])
    return sum(one.text != text for one, text in zip(read, texts, strict=True))
