"""Turns labelled images into a published model: HTTP service, queue, worker, pipeline."""
