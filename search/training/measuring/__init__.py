"""Costs that are measured on the device: latency, memory, and the user-defined ones."""
