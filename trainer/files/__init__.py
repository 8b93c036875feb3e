"""Files that trainers and workers share, and those of one machine."""
