"""What belongs to one bundle: its model card, and the bundle as one file."""
