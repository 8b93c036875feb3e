"""What a child process does about itself, and how its end is told."""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def limit_this_process(memory: int, seconds: int, cpu_seconds: int | None = None) -> None:
    """Have the kernel limit this process's memory in bytes and, from now, its run time in seconds.

    Allocations beyond the limit fail, which ends most programs; after the time it is killed, by
    SIGALRM, or by SIGXCPU if it has used so much CPU time altogether.
    """
    # RLIMIT_AS would count the gigabytes that TensorFlow reserves and never touches.
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    # The default action: a Python handler would wait for a C extension that never returns.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    if cpu_seconds is not None:
        # Below the hard limit, at which the kernel would send SIGKILL, as it does without memory.
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die_with_parent(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent, of this id, ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit("The parent process is gone.")


def explain_exit(code: int) -> str:
    """Describe a child's exit code, as the end of a sentence."""
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return f"was killed by {name}: most likely memory ran out"
    return f"was killed by {name}"
