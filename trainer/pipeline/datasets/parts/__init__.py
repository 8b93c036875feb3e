"""Which part of a dataset an image goes to: training, validation or test."""
