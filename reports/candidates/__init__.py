"""A candidate, and the table of all of them."""
