"""From an image to pixels, and from a network's output to a text."""
