"""The evaluation report that goes with every version: what it reads wrong, and how it learned."""
