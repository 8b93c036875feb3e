"""From photographs to lines: trains the detector, and cuts the images of training as it does."""
