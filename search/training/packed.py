"""What a training needs to go on, as bytes: its tensors together, one vector for each type.

PyTorch's own file has a record for each tensor, and asks about every object of each: with the 470 small tensors of a
ResNet-14 that takes longer than training it for a batch.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from io import BytesIO
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from search.training.sealed import sealed, unsealed

__all__ = ["packed", "unpacked"]

LAYOUT, VECTORS, OTHERS = "layout", "vectors", "others"
# In the layout an object of JSON is no mapping, whose keys may be numbers, but one of these.
_TENSOR, _MAPPING, _ORDERED, _TUPLE, _OTHER = "tensor", "mapping", "ordered", "tuple", "other"
# What a network notes of its modules' versions in its state.
_METADATA = "_metadata"


def packed(state: Mapping[str, Any]) -> bytes:
    """Return a state as bytes, its SHA-256 in the first line.

    Args:
        state: Mappings, lists and tuples of tensors, numbers and text, and of what else PyTorch reads without
            unpickling.
    """
    packing = _Packing()
    layout = json.dumps(packing.laid_out(dict(state)), separators=(",", ":"))
    buffer = BytesIO()
    torch.save({LAYOUT: layout, VECTORS: packing.vectors(), OTHERS: packing.others}, buffer)
    return sealed(buffer.getvalue())


def unpacked(written: bytes) -> dict[str, Any]:
    """Return what `packed` was given, on the CPU, or what an earlier version wrote. Nothing is unpickled.

    Raises:
        DamagedStateError: It is not what was written.
    """
    content: dict[str, Any] = torch.load(BytesIO(unsealed(written)), map_location="cpu", weights_only=True)
    if LAYOUT not in content:
        return content
    state: dict[str, Any] = _restored(json.loads(content[LAYOUT]), content[VECTORS], content[OTHERS])
    return state


class _Packing:
    """Collects tensors by what they can be one vector with.

    Attributes:
        others: What has no place in a layout.
    """

    def __init__(self) -> None:
        self.others: list[Any] = []
        self._parts: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
        self._sizes: dict[tuple[torch.dtype, torch.device], int] = {}
        self._known: dict[tuple[Any, ...], Any] = {}

    def laid_out(self, value: Any) -> Any:
        """Return a value as JSON takes it, and collect its tensors."""
        if value is None or type(value) in (str, int, float, bool):
            return value
        if type(value) in (Tensor, nn.Parameter) and value.layout is torch.strided and not value.is_quantized:
            return self._placed(value.detach())
        if type(value) is list:
            return [self.laid_out(one) for one in value]
        if type(value) is tuple:
            return {_TUPLE: [self.laid_out(one) for one in value]}
        if type(value) is dict:
            return {_MAPPING: self._pairs(value)}
        if type(value) is OrderedDict:
            return {_ORDERED: self._pairs(value), _METADATA: self.laid_out(getattr(value, _METADATA, None))}
        self.others.append(value)
        return {_OTHER: len(self.others) - 1}

    def vectors(self) -> list[Tensor]:
        """Return what was collected, one vector for each type and device, in the order of their numbers."""
        return [torch.cat(parts).cpu() for parts in self._parts.values()]

    def _pairs(self, mapping: Mapping[Any, Any]) -> list[Any]:
        return [[self.laid_out(key), self.laid_out(value)] for key, value in mapping.items()]

    def _placed(self, tensor: Tensor) -> Any:
        """Return the place of a tensor; of one that is there already, under another name, the same."""
        memory = (tensor.data_ptr(), tensor.dtype, tensor.device, tensor.shape, tensor.stride())
        if memory not in self._known:
            kind = tensor.dtype, tensor.device
            parts = self._parts.setdefault(kind, [])
            offset = self._sizes.get(kind, 0)
            parts.append(tensor.reshape(-1))
            self._sizes[kind] = offset + tensor.numel()
            self._known[memory] = {_TENSOR: [list(self._parts).index(kind), offset, *tensor.shape]}
        return self._known[memory]


def _restored(value: Any, vectors: list[Tensor], others: list[Any]) -> Any:
    if isinstance(value, list):
        return [_restored(one, vectors, others) for one in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        number, offset, *shape = value[_TENSOR]
        return vectors[number][offset : offset + prod(shape)].view(shape)
    if _TUPLE in value:
        return tuple(_restored(value[_TUPLE], vectors, others))
    if _OTHER in value:
        return others[value[_OTHER]]
    pairs = [_restored(pair, vectors, others) for pair in value[_MAPPING if _MAPPING in value else _ORDERED]]
    if _MAPPING in value:
        return dict(map(tuple, pairs))
    ordered: OrderedDict[Any, Any] = OrderedDict(map(tuple, pairs))
    if (metadata := _restored(value[_METADATA], vectors, others)) is not None:
        setattr(ordered, _METADATA, metadata)
    return ordered
