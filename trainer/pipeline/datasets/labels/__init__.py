"""Finds the labels of images."""
