"""Fits a network to a dataset."""
