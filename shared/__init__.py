"""What the trainer and the predictor must agree on. NumPy, Pillow and pydantic only."""

__version__ = "0.1.0"
"""Of everything here; pyproject.toml, the commands and both APIs take it from this line."""
