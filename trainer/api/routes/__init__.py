"""The trainer's routes, a module for each resource."""
