"""What may take long: its own few threads, so that it never fills those that all routes share."""
