"""Patterns that texts must fit: parsed, bounded, made into automata."""
