"""A job database that cannot be used: one clear line, and never a password."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.errors import ReadsmithError
from tests.support.services.postgresql import Server, needs_postgresql
from trainer.database.engine import open_engine
from trainer.database.tables import Database
from trainer.settings import Settings, startup_error

SECRET = "hush"


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        f"mysql://me:{SECRET}@here/x",
        f"oracle://me:{SECRET}@here/x",
        f"postgresql://me:{SECRET}@here:port/x",
        f"postgresql://me:half@{SECRET}@here/x",
        "sqlite3:x",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ReadsmithError) as caught:
        open_engine(url)
    assert caught.value.code == "database_url_invalid"
    assert SECRET not in startup_error(caught.value)


@pytest.fixture
def stranger(postgresql: Server) -> str:
    """A user who needs the password SECRET and may make nothing; their URL without it."""
    with Database(postgresql.url).writing.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS stranger"))
        connection.execute(text(f"CREATE ROLE stranger LOGIN PASSWORD '{SECRET}'"))
    return postgresql.new_database().replace("postgres@", "stranger:{}@")


@needs_postgresql
@pytest.mark.parametrize(
    ("password", "database", "why"),
    [
        (f"{SECRET}!", "", "password authentication failed"),
        (SECRET, "-gone", "does not exist"),
        (SECRET, "", "permission denied for schema public"),
    ],
)
def test_what_postgresql_refuses_is_told_in_one_line(
    stranger: str, password: str, database: str, why: str
) -> None:
    url = stranger.format(password).replace("?", f"{database}?")
    with pytest.raises(ReadsmithError) as caught:
        Database(url)
    line = startup_error(caught.value)
    assert caught.value.code == "database_unavailable"
    assert why in line and "\n" not in line and SECRET not in line


@pytest.mark.parametrize(
    ("url", "missing", "why"),
    [
        (f"postgresql://me:{SECRET}@127.0.0.1:1/x", "", "Connection refused"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/x", "psycopg", "pip install 'readsmith[postgres]'"),
    ],
)
def test_a_service_that_cannot_start_says_why_in_one_line(
    tmp_path: Path, url: str, missing: str, why: str
) -> None:
    start = "from trainer.workers.worker import main; main()"
    begin = f"import sys; sys.modules[{missing!r}] = None; {start}"
    settings = {"READSMITH_DATABASE_URL": url, "READSMITH_STATE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", begin], env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: ") and why in done.stderr
    assert len(done.stderr.splitlines()) == 1 and SECRET not in done.stderr


def test_a_server_that_falls_silent_is_not_waited_for_long_unless_the_url_says_so() -> None:
    engine = open_engine("postgresql://here/x?connect_timeout=3")
    _, parameters = engine.dialect.create_connect_args(engine.url)
    assert (parameters["connect_timeout"], parameters["tcp_user_timeout"]) == ("3", "15000")


def test_only_a_start_that_migrates_makes_a_file(tmp_path: Path) -> None:
    file = tmp_path / "state" / "jobs.sqlite"
    database = Database(f"sqlite:///{file}", migrate=False)
    with pytest.raises(ReadsmithError, match=r"jobs\.sqlite is gone"):
        database.is_current()
    assert not file.parent.exists()
    Database(f"sqlite:///{file}").close()
    assert database.is_current()
    database.close()


def test_a_file_that_disappears_while_it_is_opened_is_not_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "jobs.sqlite"
    Database(f"sqlite:///{file}").close()
    database = Database(f"sqlite:///{file}", migrate=False)
    file.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "exists", lambda path: True)  # what the look before has seen
        with pytest.raises(ReadsmithError) as caught:
            database.is_current()
    assert caught.value.code == "database_unavailable"
    assert not file.exists()


def test_a_path_with_odd_characters_names_its_file(tmp_path: Path) -> None:
    file = tmp_path / "a b#c é.sqlite"
    database = Database(f"sqlite:///{file}")
    assert [path.name for path in tmp_path.glob("*.sqlite")] == [file.name]
    database.close()


@needs_postgresql
def test_nothing_stays_prepared_that_a_pooler_could_lose(postgresql: Server) -> None:
    engine = open_engine(postgresql.url)
    with engine.begin() as connection:
        for _ in range(10):
            connection.execute(text("SELECT 1"))
        kept = connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))
    assert kept == 0
    engine.dispose()


def test_one_machine_needs_no_postgresql(settings: Settings) -> None:
    look = (
        "import sys; from trainer.database.tables import Database;"
        f"Database({settings.jobs_database!r}); Database({settings.jobs_database!r});"
        "sys.exit('psycopg' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
