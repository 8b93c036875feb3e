"""Serves the current version of every published model over HTTP."""
