"""Costs that are measured on the device: latency, memory, and the user's own."""

from __future__ import annotations

from search.training.measuring.device_lock import DeviceLock
from search.training.measuring.latency import Latency, measure_latency
from search.training.measuring.memory import Memory, measure_memory

__all__ = ["DeviceLock", "Latency", "Memory", "measure_latency", "measure_memory"]
