"""What differs from script to script: case, direction, and what counts as one character."""
