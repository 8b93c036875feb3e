"""What `readsmith doctor` says of installations that are broken in earnest."""

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from readsmith.commands.doctor import (
    installation as doctor_installation,
)
from readsmith.commands.doctor import (
    services as doctor_services,
)
from readsmith.commands.doctor import (
    store as doctor_store,
)
from readsmith.commands.doctor.finding import Finding, Severity
from readsmith.stores import open_store
from shared.store.manifest import ONNX_MODEL
from shared.store.store import ModelStore
from tests.support.commands import Run
from tests.support.hostile.graphs import crashing
from tests.support.models.bundles import png, publish
from tests.support.paths import ROOT
from tests.support.services.object_storage import BUCKET, Proxy
from tests.support.services.scripted_api import serving
from tests.support.services.services import free_port, trainer

BROKEN_TENSORFLOW = "raise ImportError('libtensorflow_cc.so.2: file too short')\n"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("READSMITH_"):
            monkeypatch.delenv(name)


def test_doctor_goes_through_everything_though_half_of_it_is_broken(
    tmp_path: Path, store: Path
) -> None:
    (tmp_path / "tensorflow.py").write_text(BROKEN_TENSORFLOW)
    spoil(store / "stripes/versions/2" / ONNX_MODEL)
    (tmp_path / "state").mkdir()
    (tmp_path / "state/jobs.sqlite").write_text("no database at all")
    free = {f"READSMITH_{service}_PORT": str(free_port()) for service in ("TRAINER", "PREDICTOR")}
    ended = subprocess.run(
        [sys.executable, "-m", "readsmith", "doctor", "--json",
         "--store", "store", "--state", "state"],
        env=os.environ | free | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "READSMITH_STORR": "x"},
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip

    told = json.loads(ended.stdout)
    wrong = {each["check"]: each for each in told["checks"] if each["state"] != "ok"}
    assert (ended.returncode, told["ok"]) == (1, False)
    assert "Traceback" not in ended.stderr
    assert set(wrong) == {"tensorflow", "models", "settings", "database"}
    assert "file too short" in wrong["tensorflow"]["message"]
    assert "does not have the SHA-256" in wrong["models"]["message"]
    assert "not a database" in wrong["database"]["message"]
    assert wrong["settings"]["advice"].startswith("Did you mean READSMITH_STORE?")
    assert all(each["advice"] for each in wrong.values())


def test_every_line_of_doctor_is_for_people_too(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor_installation, "tensorflow", lambda: iter(()))
    monkeypatch.setenv("READSMITH_TRAINER_PORT", "many")

    result = run("doctor")

    assert result.exit_code == 1
    assert "ok       python" in result.stdout
    assert "problem  settings    READSMITH_TRAINER_PORT is 'many'" in result.stdout
    assert result.stdout.endswith("Problems: 1; warnings: 0.\n")


def test_a_library_that_is_missing_or_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "readsmith-9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        textwrap.dedent("""\
        Metadata-Version: 2.4
        Name: readsmith
        Version: 9
        Requires-Python: >=3.99
        Requires-Dist: rich>=999
        Requires-Dist: nowhere-to-be-found>=1; extra == "trainer"
        Requires-Dist: flask>=1; extra == "predictor"
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)

    (python,) = doctor_installation.python()
    command_line, training, serving = doctor_installation.libraries()

    assert (python.state, ">=3.99 is needed" in python.message) == (Severity.PROBLEM, True)
    assert "needed is >=999" in command_line.message
    assert training.message == "trainer: nowhere-to-be-found is missing"
    assert "readsmith[trainer]" in training.advice
    assert serving.state is Severity.OK


def test_a_sound_store_is_called_so_and_the_starter_reads(store: Path) -> None:
    (model,) = doctor_store.models(str(store))
    (starter,) = doctor_store.starter()

    assert (model.state, model.message) == (
        Severity.OK,
        "stripes: version 2 is whole and reads as it should",
    )
    assert starter.state is Severity.OK


def test_a_model_that_reads_otherwise_than_in_training_is_found(tmp_path: Path) -> None:
    wrong = {"golden/0001.png": png("cba")}
    publish(ModelStore(tmp_path / "store"), tmp_path / "build", model="odd", files=wrong)

    (finding,) = doctor_store.models(str(tmp_path / "store"))

    assert finding.state is Severity.PROBLEM
    assert "golden/0001.png is 'cba'" in finding.message
    assert "readsmith models rollback odd" in finding.advice


def test_a_model_whose_graph_crashes_is_named_and_the_others_are_checked(tmp_path: Path) -> None:
    published = ModelStore(tmp_path / "models")
    publish(published, tmp_path / "1", model="bad", files={ONNX_MODEL: crashing()})
    publish(published, tmp_path / "2", model="stripes")
    bad, good = doctor_store.models(str(published.root))
    assert bad.state is Severity.PROBLEM
    assert "killed by SIGFPE" in bad.message
    assert good.message == "stripes: version 1 is whole and reads as it should"


def test_a_model_without_a_served_version_is_a_warning(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "store")
    publish(store, tmp_path / "build", model="stripes", promote=False)

    (finding,) = doctor_store.models(store.address)

    assert finding.state is Severity.WARNING
    assert "readsmith models promote stripes VERSION" in finding.advice


def test_a_folder_where_nothing_can_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where a folder should be")

    (of_store,) = doctor_store.store(str(tmp_path / "store"))
    (of_state,) = doctor_store.state(tmp_path / "not/yet/there")

    assert of_store.state is Severity.PROBLEM
    assert "READSMITH_STORE" in of_store.advice
    assert of_state.state in (Severity.OK, Severity.WARNING)
    assert not (tmp_path / "not").exists()


def test_a_clock_that_is_behind_the_newest_version_is_a_problem(tmp_path: Path) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    publish(
        ModelStore(tmp_path / "store"),
        tmp_path / "build",
        change=lambda manifest: manifest.model_copy(update={"created_at": tomorrow}),
    )

    (finding,) = doctor_store.clock(str(tmp_path / "store"))

    assert finding.state is Severity.PROBLEM
    assert "timedatectl" in finding.advice


def test_a_database_that_another_program_holds_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_services, "TIMEOUT_SECONDS", 0.1)
    file = tmp_path / "jobs.sqlite"
    with sqlite3.connect(file) as holder:
        holder.execute("PRAGMA journal_mode = WAL")
        holder.execute("CREATE TABLE jobs (id)")
        holder.commit()
        assert the_only(doctor_services.database(tmp_path)).state is Severity.OK
        holder.execute("BEGIN IMMEDIATE")

        finding = the_only(doctor_services.database(tmp_path))

    holder.close()
    assert finding.state is Severity.PROBLEM
    assert "database is locked" in finding.message
    assert "end that one" in finding.advice


def test_no_database_is_made(tmp_path: Path) -> None:
    finding = the_only(doctor_services.database(tmp_path))

    assert finding.state is Severity.OK
    assert not any(tmp_path.iterdir())


def test_a_database_server_that_does_not_answer_is_a_problem(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_installation, "tensorflow", lambda: iter(()))
    monkeypatch.setenv(
        "READSMITH_DATABASE_URL", f"postgresql://me:secret@127.0.0.1:{free_port()}/jobs"
    )

    result = run("doctor")

    assert result.exit_code == 1
    assert "problem  database    The job database cannot be used" in result.stdout
    assert "secret" not in result.stdout


def test_keys_that_let_nobody_in_are_a_warning(run: Run) -> None:
    run("keys", "create", "phone", "--scope", "predict")
    assert the_only(doctor_services.keys()).message.startswith("1 in ")
    run("keys", "revoke", "phone")

    finding = the_only(doctor_services.keys())

    assert (finding.state, "nobody is let in" in finding.message) == (Severity.WARNING, True)


def test_keys_that_others_can_read_are_told_with_the_command_that_mends_it(run: Run) -> None:
    run("keys", "create", "phone", "--scope", "predict")
    (found,) = Path().rglob("keys.json")
    found.chmod(0o644)

    result = run("doctor")

    assert f"warning  keys        Other users of this machine can read {found}" in result.stdout
    assert f"chmod 600 {found}" in result.stdout
    found.chmod(0o600)
    assert the_only(doctor_services.keys()).state is Severity.OK


def test_a_running_trainer_without_a_worker_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trainer(tmp_path) as service:
        monkeypatch.setenv("READSMITH_TRAINER_PORT", str(service.port))
        monkeypatch.setenv("READSMITH_PREDICTOR_PORT", str(service.port))

        of_trainer, of_predictor = doctor_services.ports()

    assert of_trainer.state is Severity.WARNING
    assert "the trainer" in of_trainer.message
    assert "without a worker" in of_trainer.message
    assert of_predictor.state is Severity.PROBLEM
    assert "is taken by another program" in of_predictor.message


def test_a_strange_program_on_a_port_is_a_problem_and_a_free_port_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(lambda *_: (200, ["something else"])) as url:
        monkeypatch.setenv("READSMITH_TRAINER_PORT", url.rpartition(":")[2])
        monkeypatch.setenv("READSMITH_PREDICTOR_PORT", str(free_port()))

        of_trainer, of_predictor = doctor_services.ports()

    assert of_trainer.state is Severity.PROBLEM
    assert "--trainer-port" in of_trainer.advice
    assert of_predictor.state is Severity.OK


def spoil(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"!")


def the_only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_an_object_storage_is_asked_and_its_models_are_read(
    storage: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"s3://{BUCKET}/models"
    monkeypatch.setenv("READSMITH_STORE_CACHE", str(tmp_path / "cache"))
    publish(open_store(address), tmp_path / "build", model="stripes")

    (of_store,) = doctor_store.store(address)
    (of_model,) = doctor_store.models(address)
    storage.fail("503")
    (of_failing,) = doctor_store.store(address)

    assert (of_store.state, of_model.state) == (Severity.OK, Severity.OK)
    assert of_model.message == "stripes: version 1 is whole and reads as it should"
    assert of_failing.state is Severity.PROBLEM
    assert "503" in of_failing.message
