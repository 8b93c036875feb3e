"""Brings a dataset to this machine."""
