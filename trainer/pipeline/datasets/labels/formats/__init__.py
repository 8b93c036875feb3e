"""Reads labels as other tools and people write them: one module per family of formats."""
