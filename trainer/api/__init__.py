"""The trainer over HTTP."""
