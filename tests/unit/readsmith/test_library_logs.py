"""What reaches the terminal while TensorFlow logs."""

import subprocess
import sys

CODE = """
import os, subprocess, sys
from readsmith.library_logs import without_library_logs

NOISE = b'''WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1796077713.740301   18016 port.cc:153] oneDNN custom operations are on.
E0000 00:00:1796077713.740301   18016 cuda_dnn.cc:1] Unable to register cuDNN factory
2026-01-01 10:00:00.123456: W tensorflow/core/x.cc:1] something
'''
with without_library_logs():
    os.write(2, NOISE + b"F0000 00:00:1 2 x.cc:1] Check failed\\n")
    subprocess.run([sys.executable, "-c", "import os; os.write(2, b'child\\\\n' + %r)" % NOISE])
    os.write(2, b"no end of line")
    os.write(2, b"\\n")
    print("of Python", file=sys.stderr)
    lasting = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
os.write(2, b"afterwards\\n")
print("and Python", file=sys.stderr)
lasting.kill()
"""


def test_only_the_log_lines_of_libraries_are_dropped() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=30
    )
    lines = done.stderr.splitlines()
    assert sorted(lines[:-2]) == [
        "F0000 00:00:1 2 x.cc:1] Check failed",
        "child",
        "no end of line",
        "of Python",
    ]
    assert lines[-2:] == ["afterwards", "and Python"]
