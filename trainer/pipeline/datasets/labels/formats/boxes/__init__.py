"""Reads boxes that hold a text, as tools for marking images write them: one module per tool."""
