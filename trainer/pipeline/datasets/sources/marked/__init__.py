"""Lines that boxes mark in images."""
