"""A set of plates of which half have two rows: joined, learned, published and served."""

from itertools import pairwise
from pathlib import Path

from PIL import Image

from predictor.models.loading import load_version
from tests.support.jobs.observer import Recorder
from tests.support.jobs.runs import context
from tests.support.labelled_images import write_zip
from tests.support.models.bundles import encoded
from tests.support.plates import plate, plate_texts
from trainer.pipeline.run import run
from trainer.schemas.job_request import Hyperparameters, JobRequest


def drawn(rows: tuple[str, str], number: int) -> Image.Image:
    return plate(rows if number % 2 else ["".join(rows)], tilt=number % 7 - 3, noise=4)


def test_both_kinds_are_learned_and_served(tmp_path: Path) -> None:
    texts = plate_texts(200)
    entries = {f"{n:03}.png": encoded(drawn(rows, n)) for n, rows in enumerate(texts)}
    # As many write them: the rows of a label as those of its plate.
    entries |= {
        f"{n:03}.txt": ("\n" if n % 2 else " ").join(rows).encode() for n, rows in enumerate(texts)
    }
    request = JobRequest(preset="conv", hyperparameters=Hyperparameters(epochs=12))
    ran_in = context(tmp_path, write_zip(tmp_path / "set.zip", entries))
    recorder = Recorder()
    result = run(request, ran_in, recorder)
    summary = recorder.summaries[0]
    assert summary["image"]["rows"] == 2
    notes = "\n".join(summary["label_notes"])
    assert "Two rows of text are joined into one line, the upper first: a gap" in notes
    assert "100 labels have a line break: there, texts have a space." in notes
    assert result.metrics.exact_match > 0.7

    engine = load_version(ran_in.inputs.store, result.model, result.version, threads=1)
    asked = plate_texts(12, seed=1)
    found = engine.predict([encoded(drawn(rows, n)) for n, rows in enumerate(asked)])
    right = [one.text == " ".join(rows) for one, rows in zip(found, asked, strict=True)]
    assert sum(right) >= 8
    for number, (one, correct) in enumerate(zip(found, right, strict=True)):
        starts = [character.start for character in one.characters]
        falls = sum(after < before for before, after in pairwise(starts))
        assert not correct or falls == number % 2  # where the second row begins
        assert all(0 <= each.start < each.end <= 1 for each in one.characters)
