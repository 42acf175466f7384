"""Proposals: architectures as codes, which of them may be proposed, and how one leads to another."""
