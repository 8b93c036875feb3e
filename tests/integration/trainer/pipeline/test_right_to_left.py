"""A set whose text runs from right to left: learned, published and served in logical order."""

import random
from pathlib import Path

import pytest

from predictor.models.loading import load_version
from tests.support.jobs.observer import Recorder
from tests.support.jobs.runs import context
from tests.support.labelled_images import image, write_zip
from trainer.pipeline.run import run
from trainer.schemas.job_request import Hyperparameters, JobRequest

SIZE = (96, 32)
GLYPHS = {"א": "A", "ב": "H", "ג": "X"}
"""What stands for the letters in the images: the font has no others."""


def drawn(label: str, seed: int) -> bytes:
    """Draw letters, which may end with a number, as they stand in a line from right to left."""
    letters = label.rstrip("147")
    shapes = "".join(GLYPHS[letter] for letter in reversed(letters))
    return image(label[len(letters) :] + shapes, SIZE, seed)


@pytest.fixture(scope="module")
def labels() -> list[str]:
    chance = random.Random(0)
    return [
        "".join(chance.choices("אבג", k=chance.randint(1, 3))) + chance.choice(["", "14", "741"])
        for _ in range(200)
    ]


def test_it_is_learned_and_served_in_logical_order(tmp_path: Path, labels: list[str]) -> None:
    entries = {f"{i:04}.png": drawn(label, i) for i, label in enumerate(labels)}
    rows = [f"{i:04}.png,{label}" for i, label in enumerate(labels)]
    entries["labels.csv"] = "\n".join(["filename,text", *rows]).encode()
    request = JobRequest(
        preset="conv", hyperparameters=Hyperparameters(epochs=30, height=32, width=96)
    )
    ran_in = context(tmp_path, write_zip(tmp_path / "set.zip", entries))
    recorder = Recorder()
    result = run(request, ran_in, recorder)
    assert recorder.summaries[0]["reasons"]["direction"].startswith("rtl: most letters")
    assert result.metrics.exact_match > 0.5

    engine = load_version(ran_in.inputs.store, result.model, result.version, threads=1)
    asked = ["אב741", "גאב", "בג14"]
    found = engine.predict([drawn(label, 1000 + i) for i, label in enumerate(asked)])
    assert sum(one.text == label for one, label in zip(found, asked, strict=True)) >= 2
    for one in found:
        letters = [character for character in one.characters if character.text in GLYPHS]
        digits = [character for character in one.characters if character.text not in GLYPHS]
        assert [c.start for c in letters] == sorted((c.start for c in letters), reverse=True)
        assert [c.start for c in digits] == sorted(c.start for c in digits)
