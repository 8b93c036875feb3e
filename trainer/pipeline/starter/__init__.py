"""The starter: weights pre-trained on drawn text, from which the conv preset starts."""
