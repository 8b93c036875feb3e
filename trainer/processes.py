"""Child processes: they die with their parent, as a group, and their death is explained."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

TERM_PATIENCE = 3.0
"""Seconds between SIGTERM and SIGKILL."""

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, of this process id, ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit("The parent process is gone.")


def stop_group(child: "subprocess.Popen[bytes]", patience: float) -> None:
    """End the session that a child leads: SIGTERM, and SIGKILL after so many seconds."""
    _signal_group(child, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(patience)
    _signal_group(child, signal.SIGKILL)
    child.wait()


def explain_exit(code: int) -> str:
    """Put a child's exit code into words, as the end of a sentence."""
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return f"was killed by {name}: most likely memory ran out"
    return f"was killed by {name}"


def _signal_group(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)
