"""Datasets: uploads, which never change, and living ones, image by image."""
