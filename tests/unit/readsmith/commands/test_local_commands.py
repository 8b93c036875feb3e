"""predict, evaluate, check and models on a real store and real images."""

import csv
import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from readsmith.__main__ import app
from readsmith.commands import predict, train
from readsmith.commands.train import _as_json
from readsmith.options.job_request import save_corrections
from shared.errors import FailedError, ReadsmithError
from shared.recognition.scoring import wilson_interval
from shared.store.manifest import ONNX_MODEL, Metrics
from shared.store.store import ModelStore
from tests.support.commands import Run
from tests.support.labelled_images import image, labelled_zip, texts
from tests.support.models.bundles import calibration, png, publish
from tests.support.services.web_site import answer, serve
from trainer.api.app import create_app
from trainer.schemas.job_request import JobRequest
from trainer.schemas.progress import RunResult
from trainer.settings import Settings


def test_predict_reads_images_with_the_current_version(run: Run, store: Path, images: Path) -> None:
    result = run(
        "predict", images / "ab.png", images / "c.png", "--model", "stripes", "--store", store,
        "--json",
    )  # fmt: skip

    first, second = json.loads(result.stdout)["results"]
    assert (first["text"], second["text"]) == ("ab", "c")
    assert (first["model"], first["version"]) == ("stripes", 2)
    assert first["file"] == str(images / "ab.png")
    assert [each["text"] for each in first["characters"]] == ["a", "b"]


def test_predict_reads_with_an_earlier_version_when_told(
    run: Run, store: Path, images: Path
) -> None:
    result = run(
        "predict", images / "ab.png", "--model", "stripes", "--store", store, "--version", 1,
        "--json",
    )  # fmt: skip

    assert json.loads(result.stdout)["results"][0]["version"] == 1


def test_predict_reads_the_others_when_one_file_is_no_image_and_fails(
    run: Run, store: Path, images: Path
) -> None:
    (images / "text.png").write_text("no image")

    result = run(
        "predict", images / "text.png", images / "ab.png", "--model", "stripes",
        "--store", store, "--json",
    )  # fmt: skip

    bad, good = json.loads(result.stdout)["results"]
    assert result.exit_code == 1
    assert bad["error"]["code"] == "not_an_image"
    assert good["text"] == "ab"


def test_predict_reads_an_image_from_standard_input(store: Path) -> None:
    def read(image: bytes) -> Result:
        return CliRunner().invoke(app, ["predict", "-", "--store", str(store), "--json"], image)

    (prediction,) = json.loads(read(png("cab")).stdout)["results"]
    assert (prediction["file"], prediction["text"]) == ("-", "cab")
    nothing = read(b"")
    assert nothing.exit_code == 1
    assert json.loads(nothing.stdout)["results"][0]["error"]["code"] == "not_an_image"


def test_an_image_of_too_many_bytes_is_not_read_whole(
    run: Run, store: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "MOST_BYTES", 10)
    result = run("predict", images / "ab.png", "--store", store, "--json")
    assert json.loads(result.stdout)["results"][0]["error"]["code"] == "image_too_large"


def test_predict_prints_csv_that_no_spreadsheet_runs(run: Run, store: Path, tmp_path: Path) -> None:
    publish(ModelStore(store), tmp_path / "build", model="stripes", characters="=+a")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "1.png").write_bytes(png("=a+", "=+a"))
    (folder / "2, big.png").write_bytes(b"no image")
    result = run(
        "predict", folder, "--store", store, "--csv", "--top-k", 2, "--min-confidence", 0.5
    )
    assert result.exit_code == 1  # one cannot be read
    first, second = csv.DictReader(io.StringIO(result.stdout))
    assert list(first) == [
        "file", "text", "confidence", "accepted", "text_2", "confidence_2", "model", "version",
        "error",
    ]  # fmt: skip
    assert (first["file"], first["text"]) == (str(folder / "1.png"), "'=a+")
    assert (first["accepted"], first["model"], first["version"]) == ("yes", "stripes", "3")
    assert float(first["confidence"]) > 0.9
    assert second["file"] == str(folder / "2, big.png")
    assert second["error"] and not second["text"]
    both = run("predict", folder, "--store", store, "--csv", "--json")
    assert (both.exit_code, both.stdout) == (2, "")


def test_predict_without_any_model_says_how_to_train_one(run: Run, images: Path) -> None:
    result = run("predict", images / "ab.png", "--store", "empty", "--model", "default")

    assert result.exit_code == 1
    assert "There is no model named default in empty (there: none)." in result.stderr
    assert "readsmith train DATASET --model default --store empty" in result.stderr


def test_predict_reads_with_the_starter_before_any_model_is_trained(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "word.png").write_bytes(image("MARKET", (160, 48), 1))
    result = run("predict", tmp_path / "word.png", "--store", "empty", "--json")
    people = run("predict", tmp_path / "word.png", "--store", "empty")

    assert result.exit_code == 0, result.stderr
    (prediction,) = json.loads(result.stdout)["results"]
    assert (prediction["text"], prediction["model"]) == ("MARKET", "starter")
    assert prediction["note"].startswith("Read by the starter")
    assert "MARKET" in people.stdout
    assert people.stderr.startswith("Read by the starter that comes with Readsmith")


def test_predict_names_the_versions_that_exist(run: Run, store: Path, images: Path) -> None:
    result = run(
        "predict", images / "ab.png", "--model", "stripes", "--store", store, "--version", 7
    )

    assert result.exit_code == 1
    assert "no version 7 of stripes" in result.stderr
    assert "there: 1, 2" in result.stderr


def test_predict_refuses_a_damaged_bundle(run: Run, store: Path, images: Path) -> None:
    graph = store / "stripes/versions/2" / ONNX_MODEL
    graph.write_bytes(graph.read_bytes()[:-1] + b"!")

    result = run("predict", images / "ab.png", "--model", "stripes", "--store", store)

    assert result.exit_code == 1
    assert "does not have the SHA-256 that the manifest says" in result.stderr


def test_evaluate_counts_right_and_wrong_predictions(run: Run, store: Path, images: Path) -> None:
    result = run("evaluate", images, "--model", "stripes", "--store", store, "--json")

    report = json.loads(result.stdout)
    assert (report["images"], report["exact"]) == (11, 10)
    assert report["exact_match"] == 10 / 11
    assert tuple(report["exact_match_interval"]) == wilson_interval(10, 11)
    assert report["cer"] == 1 / 19
    [wrong] = report["wrong"]
    assert (wrong["file"], wrong["truth"], wrong["text"]) == ("cc.png", "cc", "cb")
    assert 0 < wrong["confidence"] <= 1


def test_a_model_of_which_no_version_is_promoted_is_told_from_one_that_is_not_there(
    run: Run, store: Path, images: Path, tmp_path: Path
) -> None:
    publish(ModelStore(store), tmp_path / "other", model="waiting", promote=False)

    refused = run("evaluate", images, "--model", "waiting", "--store", store)
    named = run("evaluate", images, "--model", "waiting", "--version", 1, "--store", store)

    assert f"No version of waiting in {store} is promoted (there: 1)." in refused.stderr
    assert "readsmith models promote waiting 1" in " ".join(refused.stderr.split())
    assert "waiting version 1: 10 of 11 images right" in named.stdout


def test_evaluate_shows_where_nothing_fits_the_limits(run: Run, store: Path, images: Path) -> None:
    limits = ("--model", "stripes", "--store", store, "--pattern", "a{4}")

    assert "(nothing fits)" in run("evaluate", images, *limits).stdout


def test_evaluate_reads_a_zip_and_tells_people_the_same(
    run: Run, store: Path, images: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for image in images.iterdir():
            archive.write(image, image.name)

    result = run("evaluate", "set.zip", "--model", "stripes", "--store", store)

    assert result.exit_code == 0
    assert "stripes version 2: 10 of 11 images right, 90.9 %" in result.stdout
    assert "cc.png" in result.stdout


def test_evaluate_without_usable_images_fails(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()

    result = run("evaluate", "nothing", "--model", "stripes", "--store", store)

    assert result.exit_code == 1
    assert "nothing" in result.stderr


def test_the_options_of_train_are_the_fields_of_a_job(
    run: Run, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(request: JobRequest, *_: object) -> None:
        raise FailedError("internal_error", request.model_dump_json(exclude_defaults=True), "")

    monkeypatch.setattr(train, "_run_aloud", stopped)
    (images / "texts.txt").write_text("ab\ncab\n")
    result = run(
        "train", images, "--base", 3, "--learning-rate", 0.001, "--height", 64, "--corrections",
        "--epochs", 9, "--allowed", images / "texts.txt", "--fold-labels", "--json",
    )  # fmt: skip

    asked = json.loads(json.loads(result.stderr)["error"]["message"])
    assert asked == {
        "base": 3,
        "corrections": True,
        "fold_labels": True,
        "allowed": ["ab", "cab"],
        "hyperparameters": {"learning_rate": 0.001, "height": 64, "epochs": 9},
    }
    result = run("train", images, "--search", "batch_size=8,16", "--max-minutes", 5, "--json")
    assert json.loads(json.loads(result.stderr)["error"]["message"]) == {
        "search": {"parameters": {"batch_size": {"choices": [8, 16]}}, "max_minutes": 5.0},
    }


def test_the_corrections_of_a_state_folder_become_a_zip(tmp_path: Path) -> None:
    state = tmp_path / "state"
    trainer = create_app(Settings(store=tmp_path / "models", state=state))
    with TestClient(trainer, base_url="http://127.0.0.1:8000") as client:
        sent = {"image": ("a.png", png("ab"))}
        client.post("/models/plates/corrections", files=sent, data={"text": "ab"})
    save_corrections(state, "plates", tmp_path / "corrections.zip")
    with zipfile.ZipFile(tmp_path / "corrections.zip") as archive:
        assert archive.read("labels.csv").endswith(b",ab\n")


def test_without_a_state_folder_there_are_no_corrections_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(ReadsmithError, match="The job database cannot be used") as error:
        save_corrections(tmp_path / "none", "plates", tmp_path / "corrections.zip")
    assert error.value.code == "database_unavailable"
    assert not (tmp_path / "none").exists()


def test_train_looks_whether_it_may_publish_before_it_trains(run: Run, images: Path) -> None:
    result = run("train", images, "--store", "/proc/nothing")

    assert result.exit_code == 1
    assert "/proc/nothing" in result.stderr
    assert "Checking" not in result.stderr


def test_train_says_what_is_lost_when_it_is_stopped(
    run: Run, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trainer.pipeline.run.run", stopped)
    result = run("train", images)

    assert result.exit_code == 130
    assert "Nothing is published" in result.stderr


def test_check_tells_what_a_job_would_find(run: Run, images: Path) -> None:
    (images / "ac copy.png").write_text("no image")

    summary = json.loads(run("datasets", "check", images, "--json").stdout)
    people = run("datasets", "check", images).stdout

    assert summary["images"] == 11
    assert summary["left_out"] == {"unreadable": 1}
    assert sum(summary["split"].values()) == 11
    assert "11 images: " in people
    assert "unreadable" in people
    assert "ac copy.png" in people
    assert "Input: region whole (no wide margins are common to all images), resize " in people
    assert "file names" in people
    assert re.search(r"for example +(\w+)\.png \(\1\), ", people)


def test_check_fetches_a_set_from_this_machine_too(run: Run, tmp_path: Path) -> None:
    content = labelled_zip(tmp_path / "set.zip", texts(20)).read_bytes()
    with serve({"/set.zip": lambda handler: answer(handler, content)}) as site:
        result = run("datasets", "check", f"{site.url}/set.zip", "--json")

    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["images"] == 20


def test_check_fails_on_too_few_images_and_says_why(run: Run, images: Path) -> None:
    for name in ("a.png", "b.png"):
        (images / name).write_text("no image")

    result = run("datasets", "check", images)

    assert result.exit_code == 1
    assert "9 usable labelled images were found" in result.stderr
    assert "2 unreadable" in result.stderr


def test_models_lists_every_version_and_marks_the_current(run: Run, store: Path) -> None:
    first, second = json.loads(run("models", "list", "--store", store, "--json").stdout)["data"]

    assert (first["model"], first["version"], first["current"]) == ("stripes", 1, False)
    assert (second["version"], second["current"]) == (2, True)
    assert second["metrics"]["exact_match"] == 1.0
    assert "stripes" in run("models", "list", "--store", store).stdout


def test_models_marks_the_default_where_it_is_served(run: Run, store: Path) -> None:
    listed = json.loads(run("models", "list", "--store", store, "--json").stdout)
    assert listed["default"] is None
    assert "default" not in run("models", "list", "--store", store).stdout

    run("models", "default", "stripes", "--store", store)

    listed = json.loads(run("models", "list", "--store", store, "--json").stdout)
    assert listed["default"] == "stripes"
    rows = run("models", "list", "--store", store).stdout.splitlines()
    assert ["yes, default" in row for row in rows[1:3]] == [False, True]


def test_models_promotes_a_version_and_rolls_back(run: Run, store: Path) -> None:
    promoted = run("models", "promote", "stripes", 1, "--store", store)
    assert promoted.stdout == "stripes version 1 is served; before it: version 2.\n"
    first, second = json.loads(run("models", "list", "--store", store, "--json").stdout)["data"]
    assert (first["current"], second["current"]) == (True, False)
    assert (first["previous"], second["previous"]) == (False, True)

    back = run("models", "rollback", "stripes", "--store", store, "--json")

    assert json.loads(back.stdout) == {"model": "stripes", "current": 2, "previous": 1}


def test_models_names_the_versions_that_can_be_promoted(run: Run, store: Path) -> None:
    result = run("models", "promote", "stripes", 9, "--store", store)

    assert result.exit_code == 1
    assert "Model stripes has no version 9." in result.stderr
    assert "Retained: 1, 2." in result.stderr


def test_models_default_chooses_the_model_that_predicts_where_none_is_named(
    run: Run, store: Path, tmp_path: Path
) -> None:
    image = tmp_path / "ab.png"
    image.write_bytes(png("ab"))

    def read_by(*more: str) -> str:
        result = run("predict", image, "--store", store, "--json", *more)
        return str(json.loads(result.stdout)["results"][0]["model"])

    assert read_by() == "stripes"  # the only one
    publish(ModelStore(store), tmp_path / "build", model="bars")
    several = run("predict", image, "--store", store)
    assert several.exit_code == 1
    assert "names no model, and there are 2: bars, stripes" in several.stderr
    chosen = run("models", "default", "bars", "--store", store)
    assert chosen.stdout == "Requests that name no model are answered by bars.\n"
    assert (read_by(), read_by("--model", "stripes")) == ("bars", "stripes")
    shutil.rmtree(store / "bars")
    gone = run("predict", image, "--store", store)
    assert gone.exit_code == 1
    assert "no version of the default one, 'bars', is served" in gone.stderr
    assert "not in the store any more" in run("models", "default", "--store", store).stdout
    dropped = run("models", "default", "--drop", "--store", store, "--json")
    assert json.loads(dropped.stdout) == {"default": None}
    assert read_by() == "stripes"
    unknown = run("models", "default", "bars", "--store", store)
    assert unknown.exit_code == 1
    assert "There are: stripes." in unknown.stderr


def test_models_deletes_and_restores(run: Run, store: Path) -> None:
    served = run("models", "delete", "stripes", 2, "--store", store)
    assert served.exit_code == 1
    assert "Version 2 of model stripes is served." in served.stderr
    first = run("models", "delete", "stripes", 1, "--store", store)
    assert first.stdout.startswith("Deleted 1 of stripes; version 2 is served.\nWithin seven days")
    whole = run("models", "delete", "stripes", "--yes", "--store", store, "--json")
    assert json.loads(whole.stdout) == {"model": "stripes", "deleted": [2], "current": None}
    listed = json.loads(run("models", "list", "--deleted", "--store", store, "--json").stdout)
    assert [(each["model"], each["version"]) for each in listed["data"]] == [
        ("stripes", 1),
        ("stripes", 2),
    ]
    assert "stripes" in run("models", "list", "--deleted", "--store", store).stdout
    back = run("models", "restore", "stripes", "--store", store)
    assert back.stdout == "Restored 1, 2 of stripes; version 2 is served.\n"
    none = run("models", "list", "--deleted", "--store", store)
    assert none.stdout.startswith("Nothing that was deleted in")


def test_models_keeps_a_pattern_until_it_is_dropped(run: Run, store: Path) -> None:
    accepted = run("models", "pattern", "stripes", "[abc]{2}", "--store", store)
    assert accepted.stdout.startswith("stripes reads what fits [abc]{2}.")
    shown = run("models", "pattern", "stripes", "--store", store, "--json")
    assert json.loads(shown.stdout) == {
        "model": "stripes",
        "pattern": "[abc]{2}",
        "proposed_pattern": None,
    }
    dropped = run("models", "pattern", "stripes", "--drop", "--store", store)
    assert dropped.stdout.startswith("stripes reads anything.")


def test_models_keeps_a_list_of_texts_until_it_is_dropped(
    run: Run, store: Path, tmp_path: Path
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("ab\n\ncab\nxyz\n", "utf-8-sig")
    accepted = run(
        "models", "allowed", "stripes", texts, "--allowed-threshold", 0.2, "--store", store
    )
    assert "stripes reads one of 3 texts." in accepted.stdout
    assert "1 of them it never reads" in accepted.stdout
    shown = run("models", "allowed", "stripes", "--store", store, "--json")
    assert json.loads(shown.stdout) == {
        "model": "stripes",
        "allowed": ["ab", "cab", "xyz"],
        "check_digit": None,
        "allowed_threshold": 0.2,
        "unspelled": 0,
    }
    dropped = run("models", "allowed", "stripes", "--drop", "--store", store)
    assert dropped.stdout == "stripes reads any text.\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no text"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"ab\n" + b"a" * 201, "text 2: String should have at most 200 characters"),
        (b"ab\n\x01c", "text 2: "),
    ],
)
def test_a_file_of_texts_that_cannot_be_used_is_one_clear_error(
    run: Run, store: Path, tmp_path: Path, content: bytes, message: str
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_bytes(content)
    for command in (
        ["models", "allowed", "stripes", texts],
        ["predict", texts, "--allowed", texts],
    ):
        result = run(*command, "--store", store)
        assert result.exit_code == 2
        assert message in " ".join(result.stderr.split())
        assert "Value error" not in result.stderr


def test_models_refuses_a_pattern_that_nothing_fits(run: Run, store: Path) -> None:
    result = run("models", "pattern", "stripes", "[0-9]{2}", "--store", store)

    assert result.exit_code == 1
    assert "No text that this model can spell fits" in result.stderr


def test_models_shows_a_damaged_version_and_goes_on(run: Run, store: Path) -> None:
    (store / "stripes/versions/1/manifest.json").write_text("{}")

    result = run("models", "list", "--store", store)

    assert result.exit_code == 0
    assert "manifest.json of stripes/1 does not have the SHA-256" in " ".join(result.stdout.split())
    assert "100.0 %" in result.stdout


def test_models_of_an_empty_store_says_how_to_train_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for where, arguments in (("empty", ["--store", "empty"]), ("var/models", [])):
        result = run("models", "list", *arguments)
        assert result.exit_code == 0
        assert f"No model is published in {where}." in result.stdout


@pytest.mark.parametrize("command", ["list", "default"])
def test_a_store_that_was_named_and_is_missing_is_an_error(
    run: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_option = run("models", command, "--store", "missing")
    monkeypatch.setenv("READSMITH_STORE", "missing")
    by_variable = run("models", command)
    for result in (by_option, by_variable):
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: There is no folder missing.")


def test_import_refuses_what_is_no_h5(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_text("no model")

    result = run("models", "import", "model.h5", "--vocabulary", "abc")

    assert result.exit_code == 1
    assert "Error: model.h5 is not an HDF5 file." in result.stderr
    assert not (tmp_path / "var").exists()


def test_the_json_of_train_holds_what_scripts_need() -> None:
    metrics = Metrics(
        train_images=80, validation_images=10, test_images=10, exact_match=0.9,
        exact_match_interval=(0.6, 0.98), cer=0.02, mean_confidence=0.9,
        validation_exact_match=0.9, train_seconds=12.0, images_per_second=100.0, epochs=7,
    )  # fmt: skip
    result = RunResult(
        model="m", version=3, metrics=metrics, calibration=calibration(),
        seconds_to={"0.95": 9.0, "0.99": None},
        parameters={"batch_size": 16}, preset="crnn",
    )  # fmt: skip

    written = json.loads(json.dumps(_as_json(result, Path("models/m/versions/3/report"), [])))

    expected = {
        "model": "m", "version": 3, "train_images": 80, "validation_images": 10, "test_images": 10,
        "exact_match": 0.9, "cer": 0.02, "train_seconds": 12.0, "epochs": 7,
        "seconds_to": {"0.95": 9.0, "0.99": None}, "preset": "crnn",
        "parameters": {"batch_size": 16}, "report": "models/m/versions/3/report",
        "calibration": calibration().model_dump(mode="json"), "trials": None,
    }  # fmt: skip
    assert expected.items() <= written.items()


def test_evaluate_counts_the_images_with_nothing_to_read(
    run: Run, store: Path, images: Path
) -> None:
    rows = [f"{image.name},{image.stem}," for image in images.iterdir() if image.name != "ab.png"]
    header = "filename,text,state"
    (images / "labels.csv").write_text("\n".join([header, *rows, "ab.png,,unreadable"]))

    report = json.loads(
        run("evaluate", images, "--model", "stripes", "--store", store, "--json").stdout
    )
    people = run("evaluate", images, "--model", "stripes", "--store", store).stdout

    assert report["unreadable"] == {"images": 1, "empty": 0}
    assert [wrong["truth"] for wrong in report["wrong"] if wrong["file"] == "ab.png"] == [""]
    assert "0 of 1 images with nothing to read are answered with an empty text." in people
    assert "(nothing to read)" in people


def test_check_says_what_stays_on_one_side(run: Run, images: Path) -> None:
    names = sorted(image.name for image in images.iterdir())
    rows = [f"{name},{name[:-4]},{'test' if i < 3 else ''}" for i, name in enumerate(names)]
    (images / "labels.csv").write_text("\n".join(["filename,text,split", *rows]))

    summary = json.loads(run("datasets", "check", images, "--json").stdout)
    people = run("datasets", "check", images).stdout

    assert summary["split"]["test"] == 3
    assert summary["parts_from"] == "the column split"
    note = "The parts are your own (the column split); validation is cut from train."
    assert summary["split_notes"][0] == note
    assert note in " ".join(people.split())


def test_convert_writes_a_set_for_another_tool_and_says_what_is_lost_and_left_out(
    run: Run, images: Path
) -> None:
    rows = ["a.png,0071,", "b.png,=1,m", 'c.png,"a\tb",', "aa.png,,"]
    (images / "labels.csv").write_text("\n".join(["filename,text,group", *rows]))
    (images / "a").mkdir()
    (images / "a.png").rename(images / "a/A.png")
    (images / "AB.PNG").write_bytes((images / "ab.png").read_bytes())

    done = run("datasets", "convert", images, "new", "--to", "paddle")
    again = run("datasets", "convert", images, "new", "--to", "paddle")

    assert done.exit_code == 0, done.stderr
    assert done.stdout == (
        "Wrote 11 images (9 of them without a label) into new (format paddle); 1 were left out.\n"
    )
    assert Path("new/rec_gt.txt").read_text() == "a/A.png\t0071\nb.png\t=1\n"
    said = " ".join(done.stderr.split())
    assert "cannot say which images belong together (group): lost for 1 images." in said
    assert "c.png is left out. Its label holds control characters: a\\u0009b." in said
    assert "1 images have another name, as ab-2.png for ab.png" in said
    assert (again.exit_code, "new exists already" in again.stderr) == (1, True)


def test_convert_names_the_formats_that_it_knows(run: Run, images: Path) -> None:
    refused = run("datasets", "convert", images, "new.zip", "--to", "labelstudio")
    done = run("datasets", "convert", images, "new.zip", "--to", "label-studio", "--json")

    assert refused.exit_code == 2
    assert "readsmith, paddle, gt-txt, huggingface, label-studio" in refused.stderr
    assert json.loads(done.stdout)["images"] == 11
    assert json.loads(run("datasets", "check", "new.zip", "--json").stdout)["images"] == 11
