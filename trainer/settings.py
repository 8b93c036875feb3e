"""The trainer's settings: read once from the environment, then passed in."""

from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import ReadsmithError
from shared.model_store import KEEP_VERSIONS


class Settings(BaseSettings):
    """Every field is an environment variable: READSMITH_<FIELD> unless its alias says more."""

    model_config = SettingsConfigDict(env_prefix="READSMITH_", frozen=True, populate_by_name=True)

    store: Path = Field(Path("var/models"), description="Folder of the published models.")
    state: Path = Field(
        Path("var/trainer"),
        description="Folder of the trainer's own files: database, uploads, downloads, scratch.",
    )
    database_url: str | None = Field(
        None,
        description="SQLAlchemy URL of the job database, SQLite or PostgreSQL; "
        "unset: jobs.sqlite in the state folder.",
    )
    host: str = Field(
        "127.0.0.1",
        validation_alias="READSMITH_TRAINER_HOST",
        description="Address that the trainer's API listens on.",
    )
    port: int = Field(
        8000,
        ge=1,
        le=65535,
        validation_alias="READSMITH_TRAINER_PORT",
        description="Port that the trainer's API listens on.",
    )
    lease_seconds: float = Field(
        30, ge=1, le=3600, description="Seconds of silence after which a worker counts as lost."
    )
    max_attempts: int = Field(
        3, ge=1, le=100, description="Times that a job may lose its process before it fails."
    )
    max_queued_jobs: int = Field(
        1000, ge=1, description="Jobs that may wait; more are refused with status 429."
    )
    max_upload_bytes: int = Field(
        1_000_000_000, ge=1, description="Largest zip that POST /datasets takes, in bytes."
    )

    keep_versions: int = Field(
        KEEP_VERSIONS,
        ge=1,
        description="Versions of a model that are kept; besides them always the served one "
        "and the one before it.",
    )

    @property
    def jobs_database(self) -> str:
        """The URL of the job database."""
        return self.database_url or f"sqlite:///{self.state.absolute() / 'jobs.sqlite'}"

    @property
    def uploads(self) -> Path:
        """Where the zips of POST /datasets lie, as <dataset id>.zip."""
        return self.state / "uploads"

    @property
    def scratch(self) -> Path:
        """Where each job has a private folder until it reaches a final status."""
        return self.state / "jobs"


def load_settings() -> Settings:
    """Read the environment; raises ReadsmithError settings_invalid naming each bad variable."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [_explain(str(one["loc"][0]), one["msg"], one["input"]) for one in error.errors()]
        raise ReadsmithError(
            "settings_invalid", "; ".join(wrong), "README.md lists every setting."
        ) from None


def _explain(name: str, message: str, value: object) -> str:
    variable = name if name.startswith("READSMITH_") else f"READSMITH_{name.upper()}"
    return f"{variable} is {value!r}: {message[0].lower()}{message[1:]}"


def complaint(error: ReadsmithError | OSError) -> str:
    """One line for a service that cannot start."""
    if isinstance(error, ReadsmithError):
        return f"error: {error.message} {error.hint}".rstrip()
    return f"error: {error.filename}: {error.strerror}."
