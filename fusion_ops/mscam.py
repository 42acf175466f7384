"""MS-CAM, the multi-scale channel attention module: local and global context, added.

Dai et al., "Attentional Feature Fusion", WACV 2021, arXiv 2009.14082. Here it also trains with batch size
1 and clamps the hidden width to at least one channel. For operators of more than two inputs, one stack
computes the logits of all of them, as a grouped convolution: the same as separate stacks, side by side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fusion_ops.align import check_shapes, convolution_class
from fusion_ops.cost import Cost, batch_norm, convolution
from fusion_ops.mixing import total
from fusion_ops.norm import GlobalAverage, batch_norm_class
from fusion_ops.settings import one_of, reduced

__all__ = [
    "MSCAM",
    "attention_branches",
    "attention_cost",
    "attention_logits",
    "global_attention",
    "local_attention",
    "mute",
]


def local_attention(channels: int, width: int, *, stacks: int = 1, dims: int = 2) -> nn.Sequential:
    """Return `L(z) = BN(Conv(ReLU(BN(Conv(z)))))`: `(B, C, *size) -> (B, stacks·C, *size)`.

    Args:
        channels: C.
        width: Hidden channels d of one stack.
        stacks: How many independent stacks read the same map.
        dims: Spatial dimensions.
    """
    conv, norm = convolution_class(dims), batch_norm_class(dims)
    return nn.Sequential(
        conv(channels, stacks * width, 1),
        norm(stacks * width),
        nn.ReLU(inplace=True),
        conv(stacks * width, stacks * channels, 1, groups=stacks),
        norm(stacks * channels),
    )


def global_attention(channels: int, width: int, *, stacks: int = 1, dims: int = 2) -> nn.Sequential:
    """Return `G(z)`, the stack of `local_attention` after global pooling: `-> (B, stacks·C, 1, …)`."""
    return nn.Sequential(GlobalAverage(), *local_attention(channels, width, stacks=stacks, dims=dims))


def attention_branches(
    channels: int, width: int, *, context: str = "both", stacks: int = 1, dims: int = 2
) -> tuple[nn.Sequential | None, nn.Sequential | None]:
    """Return L and G, each with its own weights; `None` for the one that `context` leaves out.

    Raises:
        SpecError: `context` is not `both`, `local` or `global`.
    """
    one_of("context", context, ("both", "local", "global"))
    return (
        local_attention(channels, width, stacks=stacks, dims=dims) if context != "global" else None,
        global_attention(channels, width, stacks=stacks, dims=dims) if context != "local" else None,
    )


def attention_logits(z: Tensor, *branches: nn.Module | None) -> Tensor:
    """Return `L(z) + G(z)`, or the one of them that there is.

    Args:
        z: `(B, C, *size)`.
        *branches: L and G, one of which may be `None`; G's single position is broadcast.

    Returns:
        `(B, stacks·C, *size)`, or of one position where there is no L.
    """
    return total([branch(z) for branch in branches if branch is not None])


def mute(*stacks: nn.Sequential | None) -> None:
    """Let stacks give zero: their last normalisation starts with scale and shift 0, and learns both."""
    for stack in stacks:
        if stack is not None:
            for parameter in stack[-1].parameters():
                nn.init.zeros_(parameter)


def attention_cost(channels: int, width: int, positions: int, *, stacks: int = 1, context: str = "both") -> Cost:
    """Return the exact cost of the stacks that `attention_logits` adds, for H × W positions."""
    conv_in = (channels, stacks * width)
    norms = batch_norm(stacks * width) + batch_norm(stacks * channels)
    cost = Cost()
    for name, places in (("local", positions), ("global", 1)):
        if context in (name, "both"):
            cost += convolution(*conv_in, places, bias=True) + norms
            cost += convolution(stacks * width, stacks * channels, places, groups=stacks, bias=True)
    return cost


class MSCAM(nn.Module):
    """Multi-scale channel attention on one feature map: `z · σ(L(z) + G(z))`.

    `L(z) = BN(Conv_{d→C}(ReLU(BN(Conv_{C→d}(z)))))`, `G` the same stack with its own weights after global
    average pooling; `d = max(1, C // r)`. `(B, C, *size) -> (B, C, *size)`.

    Args:
        channels: C.
        r: Channel reduction ratio.
        dims: Spatial dimensions: 1, 2 or 3.
        context: `both`, or one of `local` and `global`.

    Raises:
        SpecError: An argument is out of its range, or an input has another shape.
    """

    def __init__(self, channels: int, r: int = 4, *, dims: int = 2, context: str = "both") -> None:
        super().__init__()
        self.channels = channels
        self.dims = dims
        width = reduced(channels, r)
        self.local_att, self.global_att = attention_branches(channels, width, context=context, dims=dims)

    def forward(self, z: Tensor) -> Tensor:
        """Weigh every channel at every position."""
        check_shapes((z,), (self.channels,), self.dims)
        return z * torch.sigmoid(attention_logits(z, self.local_att, self.global_att))
