"""Which images are for training, for validation, and for the test."""
