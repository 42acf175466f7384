"""Tracing: a network as a graph, and what in it are fusion points."""
