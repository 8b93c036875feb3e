"""Turns labelled images into a published model: HTTP service, queue, worker, pipeline."""

import os

# Read by Keras and TensorFlow when they are first imported, in whichever process that is.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A GPU is shared with the processes that reload a model, and must predict as exactly as a CPU does.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")

# Read by ONNX Runtime likewise; without it, it reports to its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
