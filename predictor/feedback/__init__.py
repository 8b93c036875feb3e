"""Corrections on their way to the trainer, and images archived for review."""
