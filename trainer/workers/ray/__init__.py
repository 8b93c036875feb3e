"""Runs jobs and trials on the machines of a Ray cluster."""
