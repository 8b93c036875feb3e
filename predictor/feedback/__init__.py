"""What images really say, on the way to the trainer; images stored for review."""
