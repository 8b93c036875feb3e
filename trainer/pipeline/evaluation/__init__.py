"""Measures what was learned, and decides whether it is served."""
