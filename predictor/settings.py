"""The predictor's settings: read once from the environment, then passed in."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.access.settings import AccessSettings
from shared.store.manifest import ModelName
from shared.store.settings import StoreSettings

ORIGIN = r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?"
"""As browsers write it: no path; a page of any origin is never let in."""
AtLeastOne = Annotated[int, Field(ge=1)]


class PredictorSettings(StoreSettings, AccessSettings, BaseSettings):
    """Every field is an environment variable READSMITH_<FIELD>."""

    model_config = SettingsConfigDict(
        env_prefix="READSMITH_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    default_model: ModelName | None = Field(
        None,
        description="Model that predicts when a request names none and `readsmith models default` "
        "has chosen none; unset: `default` if there is such a model, else the only one.",
    )
    serve_starter: bool = Field(
        True,
        description="Serve the starter that comes with Readsmith, which also answers requests "
        "that name no model while no other is served.",
    )
    poll_seconds: float = Field(
        1.0,
        gt=0,
        le=3600,
        description="Interval at which the store is polled for new versions, in seconds.",
    )
    max_image_bytes: AtLeastOne = Field(40_000_000, description="Largest image, in bytes.")
    max_body_bytes: AtLeastOne = Field(
        41_000_000, description="Largest request to the predictor, all images together, in bytes."
    )
    max_images: AtLeastOne = Field(64, description="Most images in one request.")
    allowed_origins: str | None = Field(
        None,
        pattern=rf"^ *{ORIGIN} *(, *{ORIGIN} *)*$",
        description="Comma-separated origins whose web pages may call the predictor from a "
        "browser: `https://forms.example.org, http://localhost:3000`. Where there are keys, they "
        "need one, too.",
    )
    low_confidence: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Predictions below this confidence count as low in `/metrics`; by default "
        "each model's own threshold.",
    )
    image_archive: Path | None = Field(
        None,
        description="Folder where the predictor archives images and predictions, to review the "
        "least confident (`/review`); unset: none are stored.",
    )
    image_archive_days: float = Field(
        7, gt=0, description="Days that an image stays in the archive."
    )
    image_archive_count: AtLeastOne = Field(
        1000, description="Most images in the archive; beyond it the oldest are deleted."
    )
    image_archive_bytes: AtLeastOne = Field(
        200_000_000,
        description="Size limit of the archive, in bytes; beyond it the oldest are deleted.",
    )
    trainer_url: HttpUrl | None = Field(
        None, description="Where the predictor reaches the trainer, for `POST /feedback`."
    )
    feedback_key: SecretStr | None = Field(
        None,
        description="API key with which the predictor sends feedback to the trainer; unset: the "
        "sender's key, with which feedback cannot wait in the outbox.",
    )
    outbox: Path | None = Field(
        None,
        description="Folder where feedback waits while the trainer is unreachable; unset: it is "
        "rejected with status 503.",
    )
    inference_threads: AtLeastOne = Field(
        1, description="Threads that work on one image inside each predictor process."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="Lowest level of the predictor's log lines; each request has one at `info`.",
    )
    predictor_host: str = Field(
        "127.0.0.1", min_length=1, description="Address that the predictor listens on."
    )
    predictor_port: int = Field(
        8080, ge=1, le=65535, description="Port that the predictor listens on."
    )
    predictor_workers: AtLeastOne | None = Field(
        None,
        description="Predictor processes; by default one per available core, "
        "fewer if the memory limit requires it.",
    )
    predictor_threads: AtLeastOne = Field(
        8, description="Requests that one predictor process works on at a time."
    )

    @property
    def verdicts(self) -> Path:
        """Where this machine's processes note which versions are harmless to load."""
        return self.store_cache / "verdicts"
