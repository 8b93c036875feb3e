"""Receives a zip from the web instead of from the user."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from trainer.progress import Observer
from trainer.requests import Dataset
from trainer.services import Services
from trainer.stages.download import fetch
from trainer.uploads import Upload
from trainer.web_address import WebAddress

CHUNK = 1 << 20


class WebDataset(BaseModel):
    """Where a zip lies."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    url: str = Field(max_length=2048)
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    """What the zip must hash to."""

    @field_validator("url")
    @classmethod
    def _of_the_web(cls, value: str) -> str:
        WebAddress.parse(value)
        return value


def upload_from_web(wanted: WebDataset, services: Services) -> Upload:
    """Download a zip by the rules of the jobs' downloads and keep it as an upload.

    Raises ReadsmithError as the download does, and uploads_full, upload_too_large or not_a_zip.
    """
    settings = services.settings
    path = fetch(
        Dataset(url=wanted.url, sha256=wanted.sha256),
        settings.cache,
        services.files,
        Observer(),
        settings.downloads,
    )
    with (
        path.open("rb") as zip_file,
        services.uploads.incoming(path.stat().st_size) as incoming,
    ):
        while chunk := zip_file.read(CHUNK):
            incoming.write(chunk)
        return services.uploads.keep(incoming)
