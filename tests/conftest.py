"""What holds for every test."""

import os

# As in the services' packages; a test may import ONNX Runtime before it imports them.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
