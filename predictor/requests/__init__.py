"""Parses a request's bytes into images and options."""
