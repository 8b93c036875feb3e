"""Where a line of text is in a photograph."""
