"""What holds for every test."""

import os

# As in the services' packages; a test may import ONNX Runtime before it imports them.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Keys that a developer has made for services of their own do not close those of the tests.
os.environ["READSMITH_KEYS"] = "no-such-folder/keys.json"
