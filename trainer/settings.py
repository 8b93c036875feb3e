"""The trainer's settings: read once from the environment, then passed in."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.access.settings import AccessSettings
from shared.errors import ReadsmithError
from shared.settings import read_settings
from shared.store.location import is_object_storage
from shared.store.settings import Place, StoreSettings
from shared.store.store import RETAINED_VERSIONS
from trainer.files.job_files import JobFiles
from trainer.files.shared_files import FolderFiles, SharedFiles
from trainer.schemas.addresses import Allowed, WebAddress
from trainer.schemas.limits import DatasetLimits, DownloadRules


class Settings(StoreSettings, AccessSettings, BaseSettings):
    """Every field is an environment variable: READSMITH_<FIELD>, or its alias."""

    model_config = SettingsConfigDict(env_prefix="READSMITH_", frozen=True, populate_by_name=True)

    state: Path = Field(
        Path("var/trainer"),
        description="Folder of the trainer's own files: database, uploads, downloads, scratch.",
    )
    shared_files: Place | None = Field(
        None,
        description="Where uploads, images of corrections and checkpoints are stored, for several "
        "trainers and workers: a folder that all share, or `s3://bucket/prefix`; "
        "unset: the state folder.",
    )
    database_url: str | None = Field(
        None,
        description="SQLAlchemy URL of the job database, SQLite or PostgreSQL; "
        "unset: jobs.sqlite in the state folder.",
    )
    # Both services may share an environment: these two name their service, as the predictor's do.
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
    predictor_url: str = Field(
        "http://127.0.0.1:8080",
        description="Where the trainer reaches the predictor, for the pages that try images.",
    )
    lease_seconds: float = Field(
        30,
        ge=1,
        le=3600,
        description="Seconds without a heartbeat after which a worker is stalled.",
    )
    max_attempts: int = Field(3, ge=1, le=100, description="Lost attempts after which a job fails.")
    executor: Literal["local", "ray"] = Field(
        "local",
        description="Where the worker runs jobs: `local`, one at a time on its own machine, or "
        "`ray`, several on the machines of a Ray cluster.",
    )
    ray_address: str = Field(
        "auto",
        pattern=r"^(auto|(ray://)?[^/\s:]+:[0-9]{1,5}|(ray://)?\[[0-9a-fA-F:.]+\]:[0-9]{1,5})$",
        description="The Ray cluster: `auto` for the one that the worker's machine belongs to, "
        "`ray://host:10001` from any other machine.",
    )
    jobs_in_flight: int = Field(
        8, ge=1, le=200, description="Jobs that one worker has on Ray at a time."
    )
    max_queued_jobs: int = Field(
        1000, ge=1, description="Most queued jobs; more are rejected with status 429."
    )
    max_upload_bytes: int = Field(
        1_000_000_000, ge=1, description="Largest zip that POST /datasets accepts, in bytes."
    )
    max_stored_upload_bytes: int = Field(
        20_000_000_000,
        description="All datasets together, in bytes: the oldest uploads that no queued or running "
        "job needs are deleted for new ones, which are otherwise rejected with status 429; with "
        "507 if living datasets, which are never deleted for that, take the room.",
    )
    max_corrections_bytes: int = Field(
        1_000_000_000,
        ge=1,
        description="Images of all corrections together, in bytes; more are rejected with "
        "status 507.",
    )
    max_cache_bytes: int = Field(
        10_000_000_000,
        ge=0,
        description="Cached downloads, in bytes; beyond it the least recently used are deleted.",
    )

    max_dataset_bytes: int = Field(
        DatasetLimits.bytes,
        ge=1,
        description="Largest dataset zip once unpacked, all files together, in bytes.",
    )
    max_dataset_files: int = Field(
        DatasetLimits.files,
        ge=1,
        description="Most files in a dataset's zip or folder, images or not.",
    )
    max_shard_files: int = Field(
        DatasetLimits.shard_files,
        ge=1,
        description="Most files in the shards (tar) of a dataset together; an image and its "
        "label are two.",
    )
    max_compression_ratio: int = Field(
        DatasetLimits.ratio,
        ge=2,
        description="Highest ratio of unpacked to packed size of a dataset zip (from 10 MB "
        "unpacked) or of a file in it (from 1 MB).",
    )

    max_download_bytes: int = Field(
        DownloadRules.max_bytes, ge=1, description="Largest zip that a job downloads, in bytes."
    )
    max_download_seconds: float = Field(
        DownloadRules.max_seconds, gt=0, description="Longest time that a download may take."
    )
    download_allow: str | None = Field(
        None,
        description="Comma-separated hosts, IP addresses and networks that jobs may download "
        "from although they are not public: `files.lan,10.1.0.0/16`.",
    )
    download_proxy: bool = Field(
        False,
        description="Download through the proxy that `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY` "
        "names; otherwise they are ignored.",
    )

    retained_versions: int = Field(
        RETAINED_VERSIONS,
        ge=1,
        description="Most recent versions retained of each model; the served one and the "
        "one before it always are.",
    )

    retained_job_days: float | None = Field(
        None,
        gt=0,
        description="Days after which jobs that have ended are deleted from the job database, "
        "with their events; those whose version is retained stay. Unset: never.",
    )

    @field_validator("max_stored_upload_bytes")
    @classmethod
    def _fits_one_upload(cls, value: int, info: ValidationInfo) -> int:
        largest = info.data.get("max_upload_bytes", 0)
        if value < largest:
            raise ValueError(f"should be at least READSMITH_MAX_UPLOAD_BYTES, {largest}")
        return value

    @field_validator("predictor_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        WebAddress.parse(value)
        return value

    @field_validator("download_allow")
    @classmethod
    def _addresses(cls, value: str | None) -> str | None:
        Allowed.parse(value or "")
        return value

    @property
    def downloads(self) -> DownloadRules:
        """Rules for jobs' downloads."""
        return DownloadRules(
            allowed=Allowed.parse(self.download_allow or ""),
            proxy=self.download_proxy,
            max_bytes=self.max_download_bytes,
            max_seconds=self.max_download_seconds,
        )

    @property
    def dataset_limits(self) -> DatasetLimits:
        """Size limits of datasets."""
        return DatasetLimits(
            self.max_dataset_files,
            self.max_dataset_bytes,
            self.max_compression_ratio,
            self.max_shard_files,
        )

    @property
    def jobs_database(self) -> str:
        """The URL of the job database."""
        return self.database_url or f"sqlite:///{self.state.absolute() / 'jobs.sqlite'}"

    @property
    def for_other_machines(self) -> "Settings":
        """These settings for other machines: paths are absolute, as working folders differ there.

        Machines may override the state folder and the store's cache.
        """
        return self.model_copy(
            update={
                "state": self.state.absolute(),
                "store": _anywhere(self.store),
                "store_cache": self.store_cache.absolute(),
                "shared_files": _anywhere(self.shared_files or self.state),
                "database_url": self.jobs_database,
            }
        )

    def open_shared_files(self) -> SharedFiles:
        """Return the storage of uploads, corrections and checkpoints; raises StorageError."""
        location = self.shared_files
        if location is not None and is_object_storage(location):
            from shared.store.objects.bucket import Bucket  # noqa: PLC0415 - only for s3://
            from trainer.files.object_files import ObjectFiles  # noqa: PLC0415 - likewise

            return ObjectFiles(Bucket(location), self.max_cache_bytes)
        return FolderFiles(Path(location or self.state))

    def job_files(self, job_id: str) -> JobFiles | None:
        """Return the storage of files that a job's later attempts need on other machines.

        None if all attempts run on this machine: its scratch folder has them.
        """
        if self.shared_files is None:
            return None
        return JobFiles(self.open_shared_files(), job_id, self.scratch / job_id)

    @property
    def uploads(self) -> Path:
        """Folder in which the zips of POST /datasets are received."""
        return self.state / "uploads"

    @property
    def cache(self) -> Path:
        """Folder of cached downloads."""
        return self.state / "cache"

    @property
    def scratch(self) -> Path:
        """Folder where each job has a private folder until it reaches a final status."""
        return self.state / "jobs"


def _anywhere(location: str | Path) -> str:
    return str(location) if "://" in str(location) else str(Path(location).absolute())


def load_settings() -> Settings:
    """Read the environment; raises SetupError naming each variable that is wrong."""
    return read_settings(Settings)


def startup_error(error: ReadsmithError | OSError) -> str:
    """Return the line that a service prints if it cannot start."""
    if isinstance(error, ReadsmithError):
        return f"error: {error.message} {error.hint}".rstrip()
    return f"error: {error.filename}: {error.strerror}."
