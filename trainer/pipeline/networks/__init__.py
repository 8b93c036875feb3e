"""The networks, and how they are written to files and read again."""
