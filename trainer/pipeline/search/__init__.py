"""Trains with several settings and takes the best."""
