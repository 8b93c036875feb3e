"""Reads images out of folders, zips and tars."""
