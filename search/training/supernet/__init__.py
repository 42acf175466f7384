"""A supernet's training, and the scores of its paths."""
