"""Models on an object storage."""
