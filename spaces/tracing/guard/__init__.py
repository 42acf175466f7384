"""Whether what is built from a graph computes what the network does."""
