"""Keeps the log lines of TensorFlow's C++ code off the terminal."""

import contextlib
import io
import os
import re
import sys
import threading
from collections.abc import Iterator

STDERR = 2
NOISE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called"
    rb"|[IWE]\d{4} \d\d:\d\d:"
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
)
"""How the lines begin, of absl and of older releases; fatal ones are passed on."""
END = b"\0end\n"
WAIT_SECONDS = 1.0
"""For the last lines."""


@contextlib.contextmanager
def without_library_logs() -> Iterator[None]:
    """Drop such lines, of child processes too, as long as the block lasts.

    No setting keeps them away: absl writes them to the file descriptor before anything can
    configure it. What Python writes to sys.stderr goes past the filter.
    """
    real = os.dup(STDERR)
    source, target = os.pipe()
    ended = threading.Event()
    threading.Thread(target=_pass_on, args=(source, real, ended), daemon=True).start()
    with _python_writes_to(real):
        os.dup2(target, STDERR)
        try:
            yield
        finally:
            # A mark, as the end of the pipe may never come: children that outlive this have it.
            os.write(target, END)
            ended.wait(WAIT_SECONDS)
            os.dup2(real, STDERR)
            os.close(target)


@contextlib.contextmanager
def _python_writes_to(descriptor: int) -> Iterator[None]:
    """Have sys.stderr write there, if it is the process's own and not a replacement."""
    own = sys.__stderr__
    if own is None or sys.stderr is not own:
        yield
        return
    # Without a buffer: a signal's handler may write in the midst of another write.
    raw = io.FileIO(descriptor, "w", closefd=False)
    direct = io.TextIOWrapper(raw, own.encoding, own.errors, write_through=True)
    with contextlib.redirect_stderr(direct):
        yield


def _pass_on(source: int, target: int, ended: threading.Event) -> None:
    with open(source, "rb", buffering=0) as lines:
        for line in lines:
            if line == END:
                ended.set()
            elif not NOISE.match(line):
                os.write(target, line)
