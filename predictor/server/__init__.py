"""gunicorn: its settings, and the internals that are replaced."""
