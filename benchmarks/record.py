"""The benchmark's result file: each part with the machine, the code and the date of its run."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Run
from benchmarks.table import Row

ROOT = Path(__file__).parents[1]
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_tile", "amx_int8")
"""Instructions that make matrix products faster."""
LIBRARIES = ("tensorflow-cpu", "keras", "numpy", "pillow")


class Machine(BaseModel):
    """The machine that the figures depend on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: str
    cores: int
    memory_bytes: int
    flags: tuple[str, ...] = ()
    """Of FLAGS, those that the processor has."""
    load: float
    """Load average of the minute before; near 0 on an idle machine."""

    @classmethod
    def this(cls) -> "Machine":
        """Describe this machine."""
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        facts = {name.strip(): value for name, _, value in (line.partition(":") for line in lines)}
        flags = facts.get("flags", "").split()
        return cls(
            cpu=facts.get("model name", platform.machine()).strip(),
            flags=tuple(flag for flag in FLAGS if flag in flags),
            cores=len(os.sched_getaffinity(0)),
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            load=os.getloadavg()[0],
        )


class PartRecord(BaseModel):
    """One part's last run."""

    model_config = ConfigDict(extra="forbid")

    command: str
    date: str
    commit: str
    machine: Machine
    versions: dict[str, str]
    runs: list[Run] = []
    rows: list[Row] = []

    @classmethod
    def begin(cls, command: str) -> "PartRecord":
        """Return the record of a run that begins now on this machine."""
        return cls(
            command=command,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=commit(),
            machine=Machine.this(),
            versions={"python": platform.python_version()}
            | {library: version(library) for library in LIBRARIES},
        )


class Record(BaseModel):
    """The last run of every part written to this file."""

    model_config = ConfigDict(extra="forbid")

    parts: dict[str, PartRecord] = {}

    @classmethod
    def load(cls, path: Path) -> "Record":
        """Read a file, or begin one; raises BenchmarkError for a file of another kind."""
        if not path.exists():
            return cls()
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise BenchmarkError(
                "not_a_record",
                f"{path} is not a result of this benchmark: {first['msg']}.",
                "Name another file, or delete it.",
            ) from error

    def save(self, path: Path) -> None:
        """Replace the file."""
        aside = path.with_name(f"{path.name}.part")
        aside.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        aside.replace(path)


def commit() -> str:
    """Return the commit, marked if the code differs from it; "unknown" outside a checkout."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
