"""Starts both services and follows a first job."""
