"""Routes of living datasets, a module for each resource."""
