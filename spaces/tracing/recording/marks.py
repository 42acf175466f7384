"""What the nodes of a traced graph are marked with: keys of `node.meta`."""

from __future__ import annotations

__all__ = ["CONSTANT", "DEVICES", "FLOPS", "MEMORY", "OTHER", "PLACE", "SCOPE", "VALUE", "WRITES"]

# What a node computes: tensors on the meta device, and plain values.
VALUE = "fusion_value"
# The same for a batch of another size; the very same object where the batch does not matter.
OTHER = "fusion_other"
# A plain value on the processor and on a graphics card, where it depends on the device.
DEVICES = "fusion_devices"
# The tensor itself, where it is made of nothing but numbers in the code.
CONSTANT = "fusion_constant"
# Path of the module in whose `forward` a node was made.
SCOPE = "fusion_scope"
# That path, and file, line and instruction of the user's frames within that `forward`, the innermost first.
PLACE = "fusion_place"
# Nodes whose tensors a node overwrites.
WRITES = "fusion_writes"
# The nodes whose tensors lie in the same memory.
MEMORY = "fusion_memory"
# FLOPs of a node.
FLOPS = "fusion_flops"
