"""The process that runs one attempt of a job, started in the same way on every machine."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RUN_JOB = ("-m", "trainer.workers.job_process")


def start_child(
    order: Mapping[str, Any], arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start Python with these arguments and an Order on its standard input (see job_process).

    order: an Order without worker_pid, which is this process's. The child leads a session of its
    own. Its temporary files are in the job's scratch folder and are deleted with it. Raises
    OSError.
    """
    state = Path(order["settings"]["state"]).absolute()
    work = state / "jobs" / order["claim"][0]
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps({**order, "worker_pid": os.getpid()}).encode())
        file.seek(0)
        return subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, *arguments],
            stdin=file,
            start_new_session=True,
            env={
                # Keras imports Matplotlib, which caches its list of fonts: without a home folder
                # (containers) it would build it again for each attempt.
                "MPLCONFIGDIR": str(state / "matplotlib"),
                **os.environ,
                **(environment or {}),
                "TMPDIR": str(work),
            },
        )
