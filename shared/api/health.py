"""How the services are, and what they serve."""

from datetime import datetime

from pydantic import Field

from shared.api.answer import Answer
from shared.recognition.image_spec import ImageSpec


class Health(Answer):
    """The process answers."""

    status: str = "ok"


class TrainerReadiness(Answer):
    """Whether jobs can be taken; each part says "ok" or what is wrong."""

    ready: bool
    database: str
    store: str
    workers: int | None
    """Workers seen during the last lease; without any, jobs wait."""
    worker_problems: list[str]
    """What keeps workers from starting jobs, which wait."""


class ServedModel(Answer):
    """A model that answers now; what was not measured is null."""

    model: str
    version: int = Field(ge=1)
    vocabulary: str
    image: ImageSpec
    origin: str = Field(json_schema_extra={"enum": ["trained", "imported"]})
    preset: str | None
    dataset: str
    exact_match: float | None
    exact_match_interval: tuple[float, float] | None
    cer: float | None
    test_images: int | None
    created_at: datetime
    loaded_at: datetime


class ServedModels(Answer):
    """The models that answer now."""

    default: str | None = Field(None, description="The one that answers where none is named.")
    data: list[ServedModel]


class RejectedVersion(Answer):
    """A version that was not loaded; its number is null if it cannot be read."""

    version: int | None
    reason: str


class ModelState(Answer):
    """What the worker that answers knows about one model."""

    version: int | None = Field(description="The one that answers, if any.")
    loaded_at: datetime | None
    wanted: int | None = Field(description="The one that should answer.")
    rejection: RejectedVersion | None = Field(description="What keeps it from answering.")
    rejections: int


class StorageOutage(Answer):
    """The store of the models cannot be used; loaded and cached versions still answer."""

    since: datetime
    reason: str


class PredictorReadiness(Answer):
    """Whether this worker can read, and with which versions."""

    ready: bool
    degraded: bool = Field(
        False,
        description="Ready with what is loaded, but new versions do not arrive: the models' store "
        "cannot be used, as storage_unreachable says.",
    )
    pid: int
    models: dict[str, ModelState]
    storage_unreachable: StorageOutage | None = Field(None, description="Null while it answers.")


class About(Answer):
    """What this is."""

    service: str
    routes: dict[str, str]
