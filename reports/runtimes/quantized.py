"""What of a network was quantized and what was left, in counts and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Part", "Quantized", "quantized_parts"]

Kept = Literal["int8", "float32"]
KINDS = {
    "Conv": "convolutions",
    "ConvTranspose": "convolutions",
    "Gemm": "linear layers",
    "MatMul": "linear layers",
    "Add": "additions",
    "Concat": "concatenations",
    "BatchNormalization": "batch normalisations",
}
LAYERS = ("convolutions", "linear layers")
DEQUANTIZE, QUANTIZE = "DequantizeLinear", "QuantizeLinear"


@dataclass(frozen=True, slots=True)
class Part:
    """One operation of a network.

    Args:
        kind: `convolutions`, `additions` …
        kept: In what it calculates.
        operator: Path of the weighing fusion operator that it is a part of, empty where that is the whole network;
            `None` where there is none.
    """

    kind: str
    kept: Kept
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class Quantized:
    """What was quantized.

    Args:
        parts: The operations of the network that are of a kind of `KINDS`.
        operators: Paths of the fusion operators that stayed in float32 as a whole.
    """

    parts: tuple[Part, ...]
    operators: tuple[str, ...]

    def count(self, kept: Kept, *, inside: bool | None = None, kinds: Iterable[str] = LAYERS) -> int:
        """Return how many operations of these kinds calculate so.

        Args:
            kept: In what.
            inside: Whether they are within weighing operators; `None`: wherever they are.
            kinds: Of which kinds.
        """
        known = tuple(kinds)
        wanted = [part for part in self.parts if part.kept == kept and part.kind in known]
        return sum(inside in (None, part.operator is not None) for part in wanted)

    def to_dict(self) -> dict[str, Any]:
        """Return counts by kind, in all and within weighing operators, and all of it in words."""
        inside = tuple(part for part in self.parts if part.operator is not None)
        return {
            "int8": _counts(self.parts, "int8"),
            "float32": _counts(self.parts, "float32"),
            "within_operators": {"int8": _counts(inside, "int8"), "float32": _counts(inside, "float32")},
            "operators_in_float32": list(self.operators),
            "words": self.words(),
        }

    def words(self) -> str:
        """Return one sentence: what is in int8, what stayed in float32, and which operators."""
        shares = [self._share(kind) for kind in LAYERS if any(part.kind == kind for part in self.parts)]
        within = self.count("int8", inside=True)
        where = f", {within} of them within operators that weigh their inputs" if within else ""
        return f"int8: {' and '.join(shares)}{where}; in float32: {self._left()}"

    def _share(self, kind: str) -> str:
        done, left = (self.count(kept, kinds=(kind,)) for kept in ("int8", "float32"))
        return f"{done} of {done + left} {kind}"

    def _left(self) -> str:
        left = []
        if self.operators:
            plural = "s" if len(self.operators) > 1 else ""
            names = ", ".join(path or "the network itself" for path in self.operators)
            verb = "weigh their" if plural else "weighs its"
            left.append(f"{len(self.operators)} operator{plural} that {verb} inputs ({names})")
        outside = Counter(part.kind for part in self.parts if part.kept == "float32" and part.operator is None)
        left += [f"{count} {kind}" for kind, count in sorted(outside.items())]
        return ", ".join(left) or "nothing that is counted here"


def quantized_parts(model: Any, operators: Mapping[str, str | None]) -> tuple[Part, ...]:
    """Return the operations of an ONNX model, each with whether it calculates in int8.

    It does where all that it reads was dequantized and what it gives is quantized: runtimes make one operation of that.

    Args:
        model: An ONNX model with `QuantizeLinear` and `DequantizeLinear`.
        operators: By name of a node, the operator that it is a part of.
    """
    dequantized = {output for node in model.graph.node if node.op_type == DEQUANTIZE for output in node.output}
    quantized = {name for node in model.graph.node if node.op_type == QUANTIZE for name in node.input[:1]}
    return tuple(
        Part(KINDS[node.op_type], _kept(node, dequantized, quantized), operators.get(node.name))
        for node in model.graph.node
        if node.op_type in KINDS
    )


def _kept(node: Any, dequantized: set[str], quantized: set[str]) -> Kept:
    reads = all(name in dequantized for name in node.input[:2])
    return "int8" if reads and any(name in quantized for name in node.output) else "float32"


def _counts(parts: Iterable[Part], kept: Kept) -> dict[str, int]:
    return dict(sorted(Counter(part.kind for part in parts if part.kept == kept).items()))
