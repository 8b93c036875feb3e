"""Exports a trained network as a bundle, and imports foreign ones."""
