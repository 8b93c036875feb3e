"""From files to labelled, checked and split images."""
