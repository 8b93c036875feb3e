"""Writes sets: as shards, and in the formats of other tools."""
