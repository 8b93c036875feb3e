"""API keys from the command line, and both services as they run in earnest with them."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from readsmith.client import Client, ServiceError
from shared.access.api_keys import KeyFile
from shared.access.tokens import TOKEN, Scope
from shared.store.store import ModelStore
from tests.support.commands import Run
from tests.support.models.bundles import png, publish
from tests.support.paths import ROOT
from tests.support.services import services
from tests.support.services.services import TIMEOUT


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keys.json"


def test_a_key_is_printed_alone_on_stdout_and_works(run: Run, keys: Path) -> None:
    made = run("keys", "create", "phone", "--scope", "predict", "--scope", "train", "--keys", keys)
    assert made.exit_code == 0
    assert TOKEN.fullmatch(made.stdout.strip())
    assert "shown this once" in made.stderr
    (key,) = KeyFile(keys).read() or ()
    assert key.is_of(made.stdout.strip())
    assert key.scopes == {Scope.PREDICT, Scope.TRAIN}


def test_keys_are_listed_with_their_limits_and_without_hashes(run: Run, keys: Path) -> None:
    limits = ("--expires-in-days", "30", "--requests-per-minute", "600")
    run("keys", "create", "phone", "--scope", "predict", *limits, "--keys", keys)
    (key,) = KeyFile(keys).read() or ()
    shown = run("keys", "list", "--keys", keys)
    assert "phone" in shown.stdout and "600" in shown.stdout
    assert f"{key.expires_at:%Y-%m-%d}" in shown.stdout
    as_json = run("keys", "list", "--keys", keys, "--json")
    assert json.loads(as_json.stdout)["data"][0]["requests_per_minute"] == 600
    for output in (shown.stdout, as_json.stdout):
        assert key.sha256 not in output


def test_revoking_the_last_key_says_that_nobody_is_let_in(run: Run, keys: Path) -> None:
    assert "run without keys" in run("keys", "list", "--keys", keys).stderr
    run("keys", "create", "phone", "--scope", "admin", "--keys", keys)
    revoked = run("keys", "revoke", "phone", "--keys", keys)
    assert revoked.stdout == "Revoked phone; 0 left.\n"
    assert "Nobody is let in now" in revoked.stderr
    assert KeyFile(keys).read() == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "a b", "--scope", "train"), "'a b' is not a key's name"),
        (("create", "phone", "--scope", "root"), "'root' is not one of"),
        (("create", "phone"), "Missing option '--scope'"),
        (("create", "phone", "--scope", "train", "--expires-in-days", "0"), "--expires-in-days"),
        (("revoke", "phone"), "There is no key named phone"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error(
    run: Run, keys: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run("keys", *arguments, "--keys", keys)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("module", "variable"), [("trainer", "TRAINER"), ("predictor", "PREDICTOR")]
)
def test_a_service_that_others_could_reach_does_not_start_without_keys(
    tmp_path: Path, module: str, variable: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", module],
        env={"PYTHONPATH": str(ROOT), f"READSMITH_{variable}_HOST": "0.0.0.0"}
        | {f"READSMITH_{variable}_PORT": str(services.free_port())},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert ended.returncode != 0
    (line,) = ended.stderr.splitlines()
    assert "There are no API keys" in line and "0.0.0.0" in line
    assert "readsmith keys create" in line and "READSMITH_ALLOW_ANONYMOUS=1" in line


def test_a_key_opens_running_services_until_it_is_revoked_and_never_shows_in_a_log(
    tmp_path: Path, keys: Path
) -> None:
    publish(ModelStore(tmp_path / "models"), tmp_path / "build")
    with (
        services.trainer(tmp_path, READSMITH_KEYS=str(keys)) as trainer,
        services.predictor(tmp_path, READSMITH_KEYS=str(keys)) as predictor,
    ):
        nobody = Client(predictor.url, trainer.url, retries=0)
        assert (nobody.jobs(), nobody.predict(png("ab")).text) == ([], "ab")
        token = KeyFile(keys).create("phone", [Scope.PREDICT, Scope.TRAIN])
        somebody = Client(predictor.url, trainer.url, retries=0, api_key=f"{token}\n")
        _until(lambda: _code(nobody.jobs) == _code(nobody.models) == "key_missing")
        assert somebody.predict(png("ab")).text == "ab"
        job = somebody.start_job()
        assert _code(lambda: somebody.rollback("default")) == "scope_missing"
        KeyFile(keys).revoke("phone")
        _until(lambda: _code(somebody.jobs) == _code(somebody.models) == "key_invalid")
    logs = trainer.log.read_text() + predictor.log.read_text()
    assert token[12:] not in logs
    told = [json.loads(line) for line in logs.splitlines() if line.startswith("{")]
    (made,) = [line for line in told if line.get("action") == "create_job"]
    assert (made["who"], made["address"], made["job_id"]) == ("phone", "127.0.0.1", job.id)
    assert {"key created", "key revoked", "refuse"} <= {line.get("action") for line in told}
    assert "phone" in {line.get("key") for line in told if line["logger"] == "readsmith.access"}


def _code(ask: Callable[[], object]) -> str | None:
    try:
        ask()
    except ServiceError as error:
        return error.code
    return None


def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)
