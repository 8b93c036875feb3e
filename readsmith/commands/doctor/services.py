"""What `readsmith doctor` checks of settings, keys, the job database and the ports."""

import difflib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from readsmith.commands.doctor.finding import Finding, ok, problem, warning
from readsmith.options.options import api_key
from readsmith.services.processes import Address
from shared import __version__
from shared.access.api_keys import KeyFile
from shared.errors import ReadsmithError
from shared.settings import read_settings

if TYPE_CHECKING:
    from predictor.settings import PredictorSettings

OF_THE_COMMANDS = ("READSMITH_API_KEY", "READSMITH_TRACEBACK")
OF_THE_TESTS = "READSMITH_TEST_"
TIMEOUT_SECONDS = 5.0
"""For a lock on the database; no transaction of ours takes so long."""
ANSWER_SECONDS = (2.0, 15.0)
"""To connect to what listens on a port, and for its answer."""


def settings() -> Iterator[Finding]:
    """Read the settings of both services from the environment as they do."""
    from trainer.settings import load_settings

    load_settings()
    _predictor_settings()
    known = _known_variables()
    given = {name.upper() for name in os.environ if name.upper().startswith("READSMITH_")}
    for name in sorted(given - known):
        if not name.startswith(OF_THE_TESTS):
            yield _unknown(name, known)
    yield ok("settings", f"{', '.join(sorted(given & known)) or 'none is set'}")


def _unknown(name: str, known: Iterable[str]) -> Finding:
    nearest = difflib.get_close_matches(name, known, 1)
    meant = f"Did you mean {nearest[0]}? " if nearest else ""
    message = f"{name} is not a setting: nothing reads it"
    return warning("settings", message, f"{meant}README.md lists every setting.")


def _known_variables() -> set[str]:
    from predictor.settings import PredictorSettings
    from trainer.settings import Settings

    return {
        str(field.validation_alias or f"READSMITH_{name.upper()}")
        for kind in (Settings, PredictorSettings)
        for name, field in kind.model_fields.items()
    } | set(OF_THE_COMMANDS)


def _predictor_settings() -> "PredictorSettings":
    from predictor.settings import PredictorSettings

    return read_settings(PredictorSettings)


def keys() -> Iterator[Finding]:
    """Read the file of the API keys."""
    file = _predictor_settings().keys
    found = KeyFile(file).read()
    if exposed := KeyFile(file).exposed():
        yield warning("keys", *exposed)
    if found is None:
        yield ok("keys", f"No {file}: the services answer without keys")
    elif not found:
        advice = f"readsmith keys create NAME --scope predict, or remove {file}."
        yield warning("keys", f"{file} holds none: nobody is let in", advice)
    else:
        over = sum(key.has_expired for key in found)
        yield ok("keys", f"{len(found)} in {file}, {over} of them expired")


def database(state: Path) -> Iterator[Finding]:
    """See that the job database can be read and written, without making one."""
    from sqlalchemy import make_url

    from trainer.settings import load_settings

    url = make_url(load_settings().model_copy(update={"state": state}).jobs_database)
    if url.get_backend_name() != "sqlite":
        yield _server(url.update_query_dict({"connect_timeout": "5"}))
    elif (file := Path(url.database or "")).is_file():
        yield _file(file)
    else:
        yield ok("database", f"None at {file} yet; the trainer makes it")


def _server(url: Any) -> Finding:
    from trainer.database.tables import Database

    database = Database(url.render_as_string(hide_password=False), migrate=False)
    current = database.is_current()
    database.close()
    waiting = "" if current else "; it is migrated when a service starts"
    return ok("database", f"{url.set(query={}).render_as_string()} answers{waiting}")


def _file(file: Path) -> Finding:
    try:
        address = f"{file.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, timeout=TIMEOUT_SECONDS, uri=True)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            connection.rollback()
    except sqlite3.Error as error:
        state = str(error)
    if state == "ok":
        return ok("database", f"{file} can be read and written")
    if "locked" in state:
        advice = "Another program holds it: end that one. `fuser` with the file's name names it."
        return problem("database", f"{file}: {state}", advice)
    advice = f"Stop the services, move {file} away and start them: jobs are lost, models are not."
    return problem("database", f"{file}: {state}", advice)


def ports() -> Iterator[Finding]:
    """See whether each service can listen, or does."""
    from trainer.settings import load_settings

    trainer, predictor = load_settings(), _predictor_settings()
    for address in (
        Address("trainer", trainer.host, trainer.port),
        Address("predictor", predictor.predictor_host, predictor.predictor_port),
    ):
        try:
            address.require_free()
        except ReadsmithError as error:
            yield _running(address) or problem("ports", error.message, error.hint)
        else:
            yield ok("ports", f"{address.url} is free; no {address.service} runs there")


def _running(address: Address) -> Finding | None:
    """Tell of the service that answers there; None if it is not the one that should."""
    title, found = _about(address.url)
    if title == "needs a key":
        message = f"{address.url}: a Readsmith service that wants a key"
        return warning("ports", message, "Set READSMITH_API_KEY, and doctor can ask which one.")
    if title != f"Readsmith {address.service}":
        return None
    running = f"{address.url}: the {address.service} {found} runs"
    if found != __version__:
        advice = f"Restart it: {__version__} is installed."
        return warning("ports", f"{running}, but this is {__version__}", advice)
    return _ready(address, running)


def _ready(address: Address, running: str) -> Finding:
    ready = _ask(f"{address.url}/readyz") or {}
    if ready.get("ready") is False:
        advice = f"{address.url}/readyz tells why."
        return warning("ports", f"{running}, but is not ready", advice)
    if ready.get("workers") == 0:
        advice = "Start one: python -m trainer.workers.worker, or `readsmith up`."
        return warning("ports", f"{running} without a worker: jobs wait", advice)
    if problems := ready.get("worker_problems"):
        why = " ".join(map(str, problems))
        return warning("ports", f"{running}, but jobs wait: {why}", "The worker's log tells more.")
    return ok("ports", running)


def _about(url: str) -> tuple[str, str]:
    """Return title and version of the service that answers."""
    told = _ask(f"{url}/openapi.json") or {}
    if told.get("status") in (401, 403) and "code" in told:
        return "needs a key", ""
    info = told.get("info")
    info = info if isinstance(info, dict) else {}
    return str(info.get("title")), str(info.get("version"))


def _ask(url: str) -> dict[str, Any] | None:
    """Return the JSON object that answers; None if something else does, or nothing."""
    key = api_key()
    with requests.Session() as session:
        session.trust_env = False  # no proxy reaches this machine's own services
        try:
            answer = session.get(
                url,
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=ANSWER_SECONDS,
            ).json()
        except (requests.RequestException, ValueError):
            return None
    return answer if isinstance(answer, dict) else None
