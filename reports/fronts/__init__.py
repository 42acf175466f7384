"""Dominance and hypervolume: which rows of numbers are as good as any other."""
