"""Places for objects by key: a folder, or a bucket and what is cached of it."""
