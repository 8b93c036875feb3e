"""What differs from script to script: the case of letters, and the direction of text."""
