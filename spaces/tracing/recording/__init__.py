"""A network's graph: recorded by our own tracer, or by `torch.export` where that cannot follow it."""
