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

    The order goes without worker_pid: that is this process. The child leads a session of its
    own; its temporary files lie in the job's scratch folder, and go with it. What Matplotlib, which
    Keras imports, found out about fonts stays, also where there is no home folder. Raises OSError.
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
                "MPLCONFIGDIR": str(state / "matplotlib"),
                **os.environ,
                **(environment or {}),
                "TMPDIR": str(work),
            },
        )
