"""The fonts that are drawn in, and how they were chosen."""
