"""Several processes, on one host or on several, that train one model together.

Each is told of the others as TensorFlow has it: by the environment variable TF_CONFIG.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.errors import ReadsmithError

VARIABLE = "TF_CONFIG"
EXAMPLE = (
    '{"cluster": {"worker": ["one:2222", "two:2222"]}, "task": {"type": "worker", "index": 0}}'
)

Address = Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class _Cluster(_Strict):
    worker: list[Address] = Field(min_length=1)


class _Task(_Strict):
    type: Literal["worker"]
    index: int = Field(ge=0)


class ProcessGroup(_Strict):
    """The processes of a training run, and which of them this one is."""

    cluster: _Cluster
    task: _Task

    @model_validator(mode="after")
    def _one_of_them(self) -> "ProcessGroup":
        if self.task.index >= len(self.cluster.worker):
            raise ValueError(f"task.index must be below {len(self.cluster.worker)}")
        return self

    @property
    def size(self) -> int:
        """How many processes there are."""
        return len(self.cluster.worker)

    @property
    def others(self) -> list[str]:
        """The addresses of the other processes."""
        workers = self.cluster.worker
        return [one for place, one in enumerate(workers) if place != self.task.index]

    @property
    def leads(self) -> bool:
        """Whether this process measures and publishes what all have trained."""
        return self.task.index == 0


def find_group(environment: Mapping[str, str]) -> ProcessGroup | None:
    """Return the group that the environment names; None for a process of its own.

    Raises ReadsmithError tf_config_invalid.
    """
    text = environment.get(VARIABLE)
    if not text:
        return None
    try:
        group = ProcessGroup.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise ReadsmithError(
            "tf_config_invalid", f"{VARIABLE}: {where}: {first['msg']}.", f"For example {EXAMPLE}"
        ) from None
    return group if group.size > 1 else None
