"""Everything about the predictor that can be set from outside."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.access.settings import AccessSettings
from shared.store.manifest import ModelName
from shared.store.settings import StoreSettings

AtLeastOne = Annotated[int, Field(ge=1)]


class PredictorSettings(StoreSettings, AccessSettings, BaseSettings):
    """Environment variables READSMITH_<FIELD>; built once, where the program starts."""

    model_config = SettingsConfigDict(
        env_prefix="READSMITH_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    default_model: ModelName = Field(
        "default", description="Model that reads when a request names none."
    )
    serve_starter: bool = Field(
        True,
        description="Serve the starter that comes with Readsmith, which also answers requests "
        "that name no model while the default model has no version.",
    )
    poll_seconds: float = Field(
        1.0, gt=0, le=3600, description="Seconds between two looks for new versions."
    )
    max_image_bytes: AtLeastOne = Field(10_000_000, description="Largest picture, in bytes.")
    max_body_bytes: AtLeastOne = Field(
        32_000_000, description="Largest request to the predictor, all pictures together, in bytes."
    )
    max_images: AtLeastOne = Field(64, description="Most pictures in one request.")
    low_confidence: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Readings below this confidence count as unsure in `/metrics`; by default "
        "each model's own threshold.",
    )
    keep_pictures: Path | None = Field(
        None,
        description="Folder where the predictor keeps pictures that it has read, for a look at "
        "the least sure readings (`/review`); unset: it keeps none.",
    )
    keep_pictures_days: float = Field(7, gt=0, description="Days that a picture is kept.")
    keep_pictures_count: AtLeastOne = Field(
        1000, description="Most pictures that are kept; the oldest go."
    )
    keep_pictures_bytes: AtLeastOne = Field(
        200_000_000, description="All kept pictures together, in bytes; the oldest go."
    )
    trainer_url: HttpUrl | None = Field(
        None, description="Where the predictor reaches the trainer, for `POST /feedback`."
    )
    feedback_key: SecretStr | None = Field(
        None,
        description="API key that the predictor hands feedback to the trainer with; unset: the "
        "key of whoever sends it, which cannot wait in the outbox.",
    )
    outbox: Path | None = Field(
        None,
        description="Folder where feedback waits while the trainer is away; unset: it is refused "
        "with status 503 then.",
    )
    inference_threads: AtLeastOne = Field(
        1, description="Threads that work on one picture inside each predictor process."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="Least level of the predictor's log lines; each request has one at `info`.",
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
        "fewer where the memory limit asks for it.",
    )
    predictor_threads: AtLeastOne = Field(
        8, description="Requests that one predictor process works on at a time."
    )
