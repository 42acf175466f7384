"""Runs Core ML's operations as their documentation defines them, where Core ML is not: in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

BINARY = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "real_div": torch.div, "maximum": torch.maximum}
UNARY = {"relu": torch.relu, "sigmoid": torch.sigmoid, "exp": torch.exp, "abs": torch.abs}


def run(program: Any, images: Tensor) -> list[Tensor]:
    """Return what the outputs of a program are for one input, which is refused in a size that is not declared."""
    main = program.functions["main"]
    ((name, declared),) = main.inputs.items()
    if not _fits(images.shape, declared.shape):
        raise ValueError(f"shape {tuple(images.shape)}; the program declares {tuple(map(str, declared.shape))}")
    known = {name: images}
    for operation in main.operations:
        if operation.op_type != "const":
            known[operation.outputs[0].name] = _calculated(operation, known)
    return [known[output.name] for output in main.outputs]


def _fits(shape: Sequence[int], declared: Sequence[Any]) -> bool:
    """Whether a shape has all numbers that are declared; what is open is declared as a symbol."""
    return len(shape) == len(declared) and all(
        side == wanted for side, wanted in zip(shape, declared, strict=True) if isinstance(wanted, Integral)
    )


def _calculated(operation: Any, known: dict[str, Tensor]) -> Tensor:
    given = {key: _value(variable, known) for key, variable in operation.inputs.items()}
    kind = operation.op_type
    if kind in BINARY:
        return BINARY[kind](*(torch.as_tensor(given[side]) for side in "xy"))
    if kind in UNARY:
        return UNARY[kind](given["x"])
    if f"_{kind}" not in globals():
        raise NotImplementedError(f"this reference of Core ML's operations has no {kind}")
    return globals()[f"_{kind}"](**given)


def _value(variable: Any, known: dict[str, Tensor]) -> Any:
    if isinstance(variable, list | tuple):
        return [_value(part, known) for part in variable]
    if variable.val is None:
        return known[variable.name]
    return torch.from_numpy(variable.val) if getattr(variable.val, "ndim", 0) else variable.val


def _conv(
    x: Tensor,
    weight: Tensor,
    strides: Tensor,
    pad_type: str,
    pad: Tensor,
    dilations: Tensor,
    groups: int,
    bias: Tensor | None = None,
) -> Tensor:
    assert pad_type in ("custom", "valid")
    sides = pad.tolist() if pad_type == "custom" else [0] * len(pad)
    assert sides[::2] == sides[1::2]
    convolve = functional.conv2d if x.ndim == 4 else functional.conv1d
    return convolve(x, weight, bias, strides.tolist(), sides[::2], dilations.tolist(), int(groups))


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.linear(x, weight, bias)


def _batch_norm(x: Tensor, mean: Tensor, variance: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    return functional.batch_norm(x, mean, variance, gamma, beta, eps=float(epsilon))


def _reduce_mean(x: Tensor, axes: Tensor, keep_dims: bool) -> Tensor:
    return x.mean(axes.tolist(), keepdim=bool(keep_dims))


def _reduce_max(x: Tensor, axes: Tensor, keep_dims: bool) -> Tensor:
    return x.amax(axes.tolist(), keepdim=bool(keep_dims))


def _reshape(x: Tensor, shape: Tensor) -> Tensor:
    return x.reshape(shape.tolist())


def _expand_dims(x: Tensor, axes: Tensor) -> Tensor:
    (axis,) = axes.tolist()
    return x.unsqueeze(axis)


def _pad(x: Tensor, pad: Tensor, mode: str, constant_val: float) -> Tensor:
    before_first = [side for pair in reversed(list(zip(*[iter(pad.tolist())] * 2, strict=True))) for side in pair]
    return functional.pad(x, before_first, mode, float(constant_val))


def _softmax(x: Tensor, axis: int) -> Tensor:
    return x.softmax(int(axis))


def _slice_by_index(x: Tensor, begin: Tensor, end: Tensor, end_mask: Tensor) -> Tensor:
    ends = [None if open_end else stop for stop, open_end in zip(end.tolist(), end_mask.tolist(), strict=True)]
    return x[tuple(map(slice, begin.tolist(), ends))]


def _clip(x: Tensor, alpha: float, beta: float) -> Tensor:
    return x.clamp(float(alpha), float(beta))


def _thresholded_relu(x: Tensor, alpha: float) -> Tensor:
    return torch.where(x >= float(alpha), x, 0)


def _sigmoid_hard(x: Tensor, alpha: float, beta: float) -> Tensor:
    return (float(alpha) * x + float(beta)).clamp(0, 1)


def _rsqrt(x: Tensor, epsilon: float) -> Tensor:
    return torch.rsqrt(x + float(epsilon))


def _concat(values: list[Tensor], axis: int, interleave: bool = False) -> Tensor:
    assert not interleave
    return torch.cat(values, int(axis))


def _stack(values: list[Tensor], axis: int) -> Tensor:
    return torch.stack(values, int(axis))
