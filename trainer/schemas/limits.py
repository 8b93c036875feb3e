"""How large a dataset may be, and what a download may reach."""

from dataclasses import dataclass

from trainer.schemas.addresses import PUBLIC_ONLY, Allowed


@dataclass(frozen=True)
class DatasetLimits:
    """How large a dataset may be."""

    files: int = 200_000
    bytes: int = 1_000_000_000
    """Unpacked, of all files of a zip together."""
    ratio: int = 100
    """How many times larger than packed a zip or a large file in it may be."""
    shard_files: int = 20_000_000
    """In all shards of a set together; two an image: itself and its label."""


DEFAULT_LIMITS = DatasetLimits()


@dataclass(frozen=True)
class DownloadRules:
    """What a download may reach, and how much of it."""

    allowed: Allowed = PUBLIC_ONLY
    proxy: bool = False
    """Whether the proxy that the environment names is used."""
    max_bytes: int = 1_000_000_000
    max_seconds: float = 3600
