"""predict and evaluate with alternatives, limits and a least confidence, on a real store."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.recognition.scoring import wilson_interval
from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.commands import Run
from tests.support.models.bundles import imported, onnx_graph, png, publish


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with the model `stripes`, which is not very sure of what it reads."""
    unsure = {ONNX_MODEL: onnx_graph(sharpness=20.0), "golden/predictions.json": b"[]"}
    publish(
        ModelStore(tmp_path / "store"),
        tmp_path / "build",
        model="stripes",
        files=unsure,
        change=imported,
    )
    return tmp_path / "store"


def predicted(run: Run, store: Path, *arguments: object) -> list[dict[str, Any]]:
    result = run("predict", *arguments, "--model", "stripes", "--store", store, "--json")
    assert result.exit_code == 0, result.stderr
    return list(json.loads(result.stdout)["results"])


def evaluated(run: Run, store: Path, *arguments: object) -> dict[str, Any]:
    result = run("evaluate", *arguments, "--model", "stripes", "--store", store, "--json")
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_predict_reads_every_image_of_a_folder_and_nothing_else(
    run: Run, store: Path, images: Path
) -> None:
    (images / "deeper").mkdir()
    (images / "deeper/ac.PNG").write_bytes(png("ac"))
    for other in ("notes.txt", ".hidden.png", "__MACOSX"):
        (images / other).write_text("no image")

    results = predicted(run, store, images)

    assert len(results) == 12
    assert {Path(each["file"]).stem: each["text"] for each in results}["ac"] == "ac"
    assert str(images / "deeper/ac.PNG") in {each["file"] for each in results}


def test_predict_of_a_folder_without_images_fails(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()

    result = run("predict", tmp_path / "nothing", "--model", "stripes", "--store", store)

    assert result.exit_code == 1
    assert f"There is no image in {tmp_path / 'nothing'}." in result.stderr


def test_predict_shows_alternatives_and_what_is_accepted_when_asked(
    run: Run, store: Path, images: Path
) -> None:
    result = run(
        "predict", "images/ab.png", "--model", "stripes", "--store", store, "--top-k", 3,
        "--min-confidence", 0.99,
    )  # fmt: skip
    [prediction] = predicted(run, store, images / "ab.png", "--top-k", 3)
    [plain] = predicted(run, store, images / "ab.png")

    best, *others = prediction["alternatives"]
    header, row = result.stdout.splitlines()
    assert header.split() == ["image", "text", "confidence", "accepted", "alternatives"]
    assert " ab " in row
    assert " no " in row
    assert all(each["text"] in row for each in others)
    assert best["text"] == prediction["text"] == "ab"
    assert len(others) == 2
    assert "alternatives" not in plain


def test_predict_reads_only_what_fits(run: Run, store: Path, images: Path) -> None:
    results = predicted(
        run, store, images / "ab.png", images / "cc.png", "--charset", "bc", "--pattern",
        "[abc]+", "--min-length", 2, "--max-length", 2,
    )  # fmt: skip

    assert [each["text"] for each in results] == ["bb", "cb"]


def test_a_models_own_pattern_holds_unless_another_is_given(
    run: Run, store: Path, images: Path
) -> None:
    run("models", "pattern", "stripes", "[bc]{2}", "--store", store)

    assert predicted(run, store, images / "ab.png")[0]["text"] == "bb"
    assert predicted(run, store, images / "ab.png", "--pattern", "a.")[0]["text"] == "ab"
    assert evaluated(run, store, images)["without_limits"]["exact"] == 10


def test_a_list_of_texts_holds_for_predict_and_evaluate(
    run: Run, store: Path, images: Path, tmp_path: Path
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("ab\naa\n")

    [allowed] = predicted(run, store, images / "ab.png", "--allowed", texts)
    [other] = predicted(run, store, images / "cc.png", "--allowed", texts)
    report = evaluated(run, store, images, "--allowed", texts)

    assert allowed["text"] == "ab"
    assert (other["text"], other["reason"]["code"]) == (None, "none_allowed")
    assert report["without_limits"]["exact"] > report["exact"]


def test_predict_combines_shots_of_one_thing_and_names_those_left_out(
    run: Run, store: Path, images: Path
) -> None:
    (images / "bad.png").write_text("no image")
    shots = [images / "bad.png", images / "gone.png", images / "ab.png", images / "bb.png"]
    (images / "gone.png").mkdir()
    (images / "gone.png" / "deeper.png").symlink_to("nowhere.png")
    arguments = ["predict", *shots, "--combine", "--model", "stripes", "--store", store]

    result = run(*arguments, "--pattern", "a.", "--top-k", 2, "--json")
    few = ["predict", "images/bad.png", "images/ab.png", *arguments[5:]]
    people = run(*few, "--pattern", "a.", "--min-confidence", 0.9)

    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    bad, unreadable, good, other = answer["frames"]
    assert answer["text"] == "ab"
    assert answer["frames"][answer["frame"]]["file"] == str(images / "ab.png")
    assert bad["error"]["code"] == "not_an_image"
    assert unreadable["error"]["code"] == "unreadable_file"
    assert good["agrees"]
    assert other["text"] == "ab"
    assert len(answer["alternatives"]) == 2
    assert people.stdout.splitlines()[0].split() == ["image", "text", "confidence", "agrees"]
    assert "images/bad.png  Error: " in people.stdout
    assert "Together: ab, " in people.stdout
    assert "Accepted: no" in people.stdout


def test_predict_combines_nothing_of_broken_files_and_no_more_than_a_request_may_have(
    run: Run, store: Path, images: Path
) -> None:
    (images / "bad.png").write_text("no image")
    of = ["--combine", "--model", "stripes", "--store", store]

    broken = run("predict", images / "bad.png", *of)
    many = run("predict", *[images / "ab.png"] * 17, *of)

    assert broken.exit_code == many.exit_code == 1
    assert broken.stderr.startswith("Error: ")
    assert "There are more than 16 images." in many.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--top-k", 0], "top_k must be a whole number from 1 to 20", 2),
        (["--min-length", 3, "--max-length", 2], "min_length is 3, max_length only 2", 2),
        (["--min-confidence", "1.5"], "min_confidence must be a number from 0 to 1", 2),
        (["--pattern", "[a"], "pattern", 1),
        (["--charset", "xyz", "--min-length", 1], "No text that this model can spell fits", 1),
    ],
)
@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_wrong_limit_is_one_clear_error(
    run: Run,
    store: Path,
    images: Path,
    command: str,
    arguments: list[object],
    message: str,
    code: int,
) -> None:
    result = run(command, images, "--model", "stripes", "--store", store, *arguments)

    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""


def test_evaluate_measures_with_the_limits_and_without_them(
    run: Run, store: Path, images: Path
) -> None:
    report = evaluated(run, store, images, "--min-length", 2, "--pattern", ".*[ab]|cc")

    free = report["without_limits"]
    assert (free["images"], free["exact"]) == (11, 10)
    wrong = {each["truth"]: each for each in report["wrong"]}
    assert {"a", "b", "c", "ac", "bc"} <= wrong.keys()
    assert report["exact"] == 11 - len(wrong)
    assert wrong["bc"]["text_without_limits"] == "bc"
    assert len(wrong["a"]["text"]) >= 2


def test_evaluate_counts_what_is_accepted_and_wrong_among_it(
    run: Run, store: Path, images: Path
) -> None:
    everything = evaluated(run, store, images, "--min-confidence", 0)["accepted"]
    nothing = evaluated(run, store, images, "--min-confidence", 1)["accepted"]

    assert (everything["images"], everything["share"]) == (11, 1.0)
    assert (everything["wrong"], everything["wrong_share"]) == (1, 1 / 11)
    assert tuple(everything["wrong_interval"]) == wilson_interval(1, 11)
    assert (nothing["images"], nothing["wrong"], nothing["wrong_share"]) == (0, 0, 0.0)


def test_evaluate_counts_truths_among_the_alternatives(run: Run, store: Path, images: Path) -> None:
    report = evaluated(run, store, images, "--top-k", 20)

    found = report["among_alternatives"]
    [wrong] = report["wrong"]
    listed = "cc" in [each["text"] for each in wrong["alternatives"]]
    assert (found["top_k"], found["exact"]) == (20, 10 + listed)
    assert "without_limits" not in report


def test_evaluate_tells_people_the_same(run: Run, store: Path, images: Path) -> None:
    result = run(
        "evaluate", images, "--model", "stripes", "--store", store, "--max-length", 1,
        "--min-confidence", 0, "--top-k", 2,
    )  # fmt: skip

    assert "stripes version 1 within the limits: 3 of 11 images right, 27.3 %" in result.stdout
    assert "Without them: 10 of 11 images right, 90.9 %" in result.stdout
    assert "Among the 2 likeliest texts: 3 of 11 images right" in result.stdout
    assert "From confidence 0.0: 11 of 11 images accepted, 100.0 %; of these 8 wrong" in (
        result.stdout
    )
