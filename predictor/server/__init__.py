"""gunicorn: its settings, and what of it is replaced."""
