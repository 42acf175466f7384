"""The surrogate of `auto`: what is learnt of a study, and what is expected of architectures by it."""
