"""What a network returns: one tensor, or tensors in tuples, lists, mappings and dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from torch import Tensor

__all__ = ["Output", "in_words", "outputs_of", "parts", "tensors_in", "with_parts"]


@dataclass(frozen=True, slots=True)
class Output:
    """One tensor of what a network returns.

    Args:
        name: Where it is: `0`, `aux`, `levels.2`; empty where nothing else is returned.
        shape: Its shape.
    """

    name: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"`{self.name}` {self.shape}" if self.name else str(self.shape)


def parts(value: Any) -> dict[str, Any] | None:
    """Return the parts of what a network returns by index or name, without those that are `None`.

    `None` where it has no parts, as a tensor.
    """
    if isinstance(value, Mapping):
        found = {str(key): part for key, part in value.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        found = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        found = dict(zip(value._fields, value, strict=True))
    elif isinstance(value, tuple | list):
        found = {str(index): part for index, part in enumerate(value)}
    else:
        return None
    return {name: part for name, part in found.items() if part is not None}


def with_parts(value: Any, change: Callable[[str, Any], Any]) -> Any:
    """Return what a network returned, each part replaced by what `change` gives for its name and itself."""
    found = {name: change(name, part) for name, part in (parts(value) or {}).items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **found)
    if isinstance(value, Mapping):
        return {key: found.get(str(key)) for key in value}
    if hasattr(value, "_fields"):
        return type(value)(*(found.get(name) for name in value._fields))
    return type(value)(found.get(str(index)) for index in range(len(value)))


def outputs_of(value: Any) -> tuple[Output, ...]:
    """Return the tensors of what a network returns, in their order."""
    return tuple(Output(name, tuple(tensor.shape)) for name, tensor in tensors_in(value).items())


def tensors_in(value: Any, path: str = "") -> dict[str, Tensor]:
    """Return the tensors of what a network returns by their place, in their order; `path` is where it is itself."""
    if isinstance(value, Tensor):
        return {path: value}
    found: dict[str, Tensor] = {}
    for name, part in (parts(value) or {}).items():
        found |= tensors_in(part, f"{path}.{name}".lstrip("."))
    return found


def in_words(outputs: Sequence[Output]) -> str:
    """Return outputs as a list for a message: `` `0` (2, 10), `1` (2, 10) ``."""
    return ", ".join(map(str, outputs)) or "no tensor"
