"""What the trainer and the predictor must agree on. NumPy, Pillow and pydantic only."""
