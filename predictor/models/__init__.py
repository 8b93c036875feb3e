"""Loads versions, keeps them loaded, and follows what is published."""
