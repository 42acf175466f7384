"""Networks of eight bits: static quantization in ONNX, read by every runtime that reads ONNX.

Weights become int8, by output channel and symmetric about 0; activations become uint8, over the range that they have on
calibration images. **Operators that weigh their inputs stay in float32**: their weights come out of a sigmoid or a
softmax, which turns a rounded logit into a wrong weight for a whole map; in int8 they lose about twice as much, and are
hardly faster (`benchmarks/int8.py`, `docs/int8.md`).

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference" (2018).
"""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from fusion_ops.errors import FusionNasError, RunError
from fusion_ops.operator import FusionOperator
from reports.runtimes.program import input_names
from reports.runtimes.quantized import Quantized, quantized_parts
from reports.scratch import scratch_folder

__all__ = ["Scope", "calibration_batches", "quantize_onnx", "weighing_operators"]

Scope = Literal["network", "everything"]
SCOPES = "pkg.torch.onnx.name_scopes"
WRAPPED = "network."
# What is quantized: all else passes on floating-point numbers, as normalisations, sigmoids and softmaxes.
QUANTIZED = (
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Concat", "Relu", "Clip"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "Pad", "Resize"),
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split"),
)


def quantize_onnx(
    network: nn.Module, source: Path, batches: Sequence[Sequence[Tensor]], path: Path, *, scope: Scope = "network"
) -> Quantized:
    """Write an ONNX file as a file of eight bits, and return what was quantized.

    Args:
        network: The network that `source` was made of by `torch.onnx`; its operators are found by their modules.
        source: The file in float32.
        batches: Calibration images, prepared: batches of all inputs, of a size that the file takes.
        path: The file to write.
        scope: What is quantized: the `network` around the operators that weigh their inputs, or `everything`.

    Raises:
        RunError: The network cannot be quantized.
    """
    onnx = import_module("onnx")
    operators = weighing_operators(network)
    with scratch_folder() as folder:
        prepared = folder / "prepared.onnx"
        try:
            with _quiet():
                import_module("onnxruntime.quantization").quant_pre_process(
                    str(source), str(prepared), skip_symbolic_shape=True
                )
                inside = _operators_of_nodes(onnx.load(prepared), operators)
                left = [] if scope == "everything" else [node for node, path in inside.items() if path is not None]
                _quantize(prepared, path, batches, left)
        except FusionNasError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise RunError(f"ONNX Runtime cannot quantize this network: {reason}. Use it in float32.") from error
    return Quantized(quantized_parts(onnx.load(path), inside), tuple(operators) if scope == "network" else ())


def weighing_operators(network: nn.Module) -> dict[str, str]:
    """Return the fusion operators of a network that weigh their inputs: what they are, by their paths."""
    return {
        path: type(module).__name__
        for path, module in network.named_modules()
        if isinstance(module, FusionOperator) and type(module).input_weights is not FusionOperator.input_weights
    }


def calibration_batches(
    batches: Sequence[Sequence[Tensor]], batch: int | None = None
) -> tuple[tuple[Tensor, ...], ...]:
    """Return calibration images in batches that a file takes.

    Args:
        batches: Batches of all inputs, of any sizes.
        batch: The only size that the file takes, which repeats images where there are fewer; `None`: as they are.

    Raises:
        RunError: There are none.
    """
    if not batches or not len(batches[0][0]):
        raise RunError("int8 needs calibration images; got none. Pass prepared training images as `calibration`.")
    if batch is None:
        return tuple(tuple(given) for given in batches)
    joined = tuple(torch.cat(tensors) for tensors in zip(*batches, strict=True))
    count = len(joined[0])
    whole = max(1, count // batch) * batch
    picked = torch.arange(whole, device=joined[0].device) % count
    return tuple(zip(*(torch.split(tensor[picked], batch) for tensor in joined), strict=True))


def _quantize(prepared: Path, path: Path, batches: Sequence[Sequence[Tensor]], left: Sequence[str]) -> None:
    quantization = import_module("onnxruntime.quantization")
    quantization.quantize_static(
        str(prepared),
        str(path),
        _Reader(batches),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        # Weights of seven bits: x86 without VNNI adds two products in 16 bits, which those of eight bits overflow.
        reduce_range=True,
        # With int8 activations ONNX Runtime takes up to twice as long on a CPU with VNNI.
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        op_types_to_quantize=list(QUANTIZED),
        nodes_to_exclude=list(left),
    )


class _Reader:
    """Hands out calibration batches, as ONNX Runtime's quantization asks for them."""

    def __init__(self, batches: Sequence[Sequence[Tensor]]) -> None:
        names = input_names(batches[0])
        self._given = iter([dict(zip(names, map(_array, inputs), strict=True)) for inputs in batches])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._given, None)


def _array(tensor: Tensor) -> Any:
    return tensor.detach().cpu().contiguous().numpy()


def _operators_of_nodes(model: Any, operators: dict[str, str]) -> dict[str, str | None]:
    """Return, by node, the path of the operator that it is a part of; `None` where it is a part of none of these."""
    return {node.name: _operator_of(node, operators) for node in model.graph.node}


def _operator_of(node: Any, operators: dict[str, str]) -> str | None:
    written = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), "[]")
    # Where outputs have names, the network was converted within another module.
    modules = {scope.removeprefix(WRAPPED) for scope in ast.literal_eval(written)} | set(ast.literal_eval(written))
    return next((path for path in operators if path in modules), None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the tool logs, and keep its calls of `logging.warning` from setting up a handler."""
    root, handler = logging.getLogger(), logging.NullHandler()
    before = root.manager.disable
    root.addHandler(handler)
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
        root.removeHandler(handler)
