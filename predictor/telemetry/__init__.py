"""Metrics and logs of requests and predictions."""
