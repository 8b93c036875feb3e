"""The ONNX graphs of a version: one that reads lines, and perhaps one that finds them."""
