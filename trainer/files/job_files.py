"""What a job's later attempts need of its scratch folder, also where that folder is not."""

import logging
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ReadsmithError
from trainer.files.shared_files import SharedFiles

log = logging.getLogger("trainer.files.job_files")


@dataclass(frozen=True)
class JobFiles:
    """Files of a scratch folder, by the same names below `jobs/<job id>/` in the shared files."""

    files: SharedFiles
    job_id: str
    work: Path
    """The scratch folder."""

    def save(self, path: Path) -> None:
        """Save a file that has just been written; if that fails, the next one may do."""
        try:
            self.files.save(path, self._name(path))
        except (OSError, ReadsmithError) as error:
            log.warning("%s is on this machine only: %s", path.name, error)

    def fetch(self, path: Path) -> None:
        """Bring a file to where it was written, if it was saved.

        One that is there is replaced: an attempt on another machine may have gone further.
        Raises OSError or ReadsmithError.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.files.fetch(self._name(path), path)

    def remove(self, path: Path) -> None:
        """Remove what was saved of a file, or of a folder; raises OSError or ReadsmithError."""
        self.files.remove(self._name(path))

    def _name(self, path: Path) -> str:
        return f"jobs/{self.job_id}/{path.relative_to(self.work).as_posix()}"
