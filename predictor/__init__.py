"""Serves the current version of every published model over HTTP."""

import os

# Read by ONNX Runtime when it is first imported; without it, it reports to its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
