"""A training run: `run` tells it on one page, the rooms are its stages."""
