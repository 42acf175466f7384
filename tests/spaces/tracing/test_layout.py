"""Maps whose channels are not in the second axis, of one to three spatial dimensions, and what is none for that."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import spaces
from spaces import SearchSpace
from spaces.tracing.plan import Plan


def plan_of(space: SearchSpace) -> Plan:
    plan: Plan = space.host.plan  # type: ignore[attr-defined]
    return plan


class WindowAttention(nn.Module):
    """Attention with heads inside of windows: scores, masks and values are no maps."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.qkv, self.project = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.norm = nn.LayerNorm(channels // 2)
        self.bias = nn.Parameter(torch.randn(2, 4, 4))

    def forward(self, x: Tensor) -> Tensor:
        windows, length, channels = x.shape
        q, k, v = self.qkv(x).reshape(windows, length, 3, 2, channels // 2).permute(2, 0, 3, 1, 4).unbind(0)
        q, k = self.norm(q) + q, self.norm(k)
        attention = ((q @ k.transpose(-2, -1)) + self.bias).softmax(dim=-1)
        x = (attention @ v).transpose(1, 2).reshape(windows, length, channels)
        return self.project(x) + x


class Swin(nn.Module):
    """A block of shifted windows on `(B, H, W, C)`, and the merging of patches."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm1, self.norm2 = nn.Conv2d(3, 8, 2, 2), nn.LayerNorm(8), nn.LayerNorm(8)
        self.attention = WindowAttention(8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.merge, self.head = nn.Linear(32, 16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).permute(0, 2, 3, 1)
        batch, height, width, channels = x.shape
        shifted = torch.roll(self.norm1(x), shifts=(-1, -1), dims=(1, 2))
        windows = shifted.view(batch, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
        windows = self.attention(windows.reshape(-1, 4, channels)).view(-1, 2, 2, channels)
        y = windows.view(batch, height // 2, width // 2, 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
        y = y.reshape(batch, height, width, channels)
        x = x + torch.roll(y, shifts=(1, 1), dims=(1, 2))
        x = x + self.mlp(self.norm2(x))
        x = x.view(batch, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 4, 2, 5).flatten(3)
        return self.head(self.merge(x).mean((1, 2)))


def test_swin_is_turned_and_its_windows_are_left_alone(check: Any) -> None:
    space = check(Swin(), (1, 3, 8, 8), [("add", "short_skip", (8, 8)), ("add2", "short_skip", (8, 8))])
    assert [point.sizes for point in space.points] == [((4, 4), (4, 4))] * 2
    notices = plan_of(space).notices
    assert [notice.partition(":")[0] for notice in notices] == [
        "a sum of (…, 2, 4, 4) in `attention` (2 alike) is no fusion point"
    ]
    assert space.build(space.uniform("aff", 4))(torch.randn(2, 3, 8, 8)).shape == (2, 5)  # views of `x` still work


class TokenBlock(nn.Module):
    def __init__(self, channels: int, heads: int = 2, *, fused: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.q, self.kv = nn.Linear(channels, channels), nn.Linear(channels, 2 * channels)
        self.reduce, self.norm = nn.Conv2d(channels, channels, 2, 2), nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))
        self.heads, self.fused = heads, fused

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attended(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def attended(self, x: Tensor) -> Tensor:
        """Attend to fewer positions, as networks for segmentation do."""
        batch, length, channels = x.shape
        small = self.reduce(x.transpose(1, 2).reshape(batch, channels, 4, 4)).flatten(2).transpose(1, 2)
        q = self.q(x).reshape(batch, length, self.heads, -1).transpose(1, 2)
        k, v = (
            self.kv(self.norm(small)).reshape(batch, -1, 2, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)
        )
        if self.fused:
            y = functional.scaled_dot_product_attention(q, k, v)
        else:
            y = (q @ k.transpose(-1, -2)).softmax(-1) @ v
        return y.transpose(1, 2).reshape(batch, length, channels)


class Transformer(nn.Module):
    def __init__(self, *, fused: bool) -> None:
        super().__init__()
        self.patches, self.position = nn.Conv2d(3, 8, 2, 2), nn.Parameter(torch.randn(1, 16, 8))
        self.blocks, self.head = nn.Sequential(TokenBlock(8, fused=fused), TokenBlock(8, fused=fused)), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.position
        return self.head(self.blocks(x).mean(1))


def test_tokens_have_one_spatial_dimension(check: Any) -> None:
    names = ("blocks.0.add", "blocks.0.add2", "blocks.1.add", "blocks.1.add2")
    found = [(name, "short_skip", (8, 8)) for name in names]
    space = check(Transformer(fused=False), (1, 3, 8, 8), found)
    assert {point.sizes for point in space.points} == {((16,), (16,))}
    fused = spaces.trace(Transformer(fused=True), torch.randn(1, 3, 8, 8))
    assert fused.points == space.points


class OneHead(nn.Module):
    """An attention of one head, its values returned as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.qkv, self.head = nn.Conv2d(3, 8, 2, 2), nn.Linear(8, 24), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(x).reshape(x.shape[0], 16, 3, 1, 8).permute(2, 0, 3, 1, 4)
        y = (q @ k.transpose(-2, -1)).softmax(-1) @ v
        return self.head((x + y.transpose(1, 2).reshape(x.shape)).mean(1))


def test_one_head_has_all_channels(check: Any) -> None:
    check(OneHead(), (1, 3, 8, 8), [("add", "short_skip", (8, 8))])


class Heads(nn.Module):
    """Sums of queries, before and after they are split into heads; then a view of the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.q, self.norm = nn.Conv2d(3, 8, 2, 2), nn.Linear(8, 8), nn.LayerNorm(4)
        self.head = nn.Linear(128, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        q = self.q(x).view(x.shape[0], 16, 2, 4).transpose(1, 2)
        q = q + self.norm(q)
        x = self.q(x) + q.transpose(1, 2).flatten(2)
        return self.head(x.view(x.shape[0], 128))


def test_heads_are_no_channels_and_views_of_tokens_work(check: Any) -> None:
    space = check(Heads(), (1, 3, 8, 8), [("add", "same_layer", (8, 8))])
    (notice,) = plan_of(space).notices
    assert notice.startswith("a sum of (…, 2, 16, 4) in `network` is no fusion point: another axis holds parts")


class Mixer(nn.Module):
    """A linear layer over the positions: they stay positions."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, 8, 2, 2), nn.LayerNorm(8)
        self.tokens, self.channels, self.head = nn.Linear(16, 16), nn.Linear(8, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.tokens(self.norm(x).transpose(1, 2)).transpose(1, 2)
        x = x + self.channels(x)
        return self.head(x.mean(dim=1))


def test_mixing_positions_does_not_make_them_channels(check: Any) -> None:
    space = check(Mixer(), (1, 3, 8, 8), [("add", "short_skip", (8, 8)), ("add2", "short_skip", (8, 8))])
    assert space.points[0].sizes == ((16,), (16,))


class Planar(nn.Module):
    """Two residual blocks, one of which halves the resolution, and a concatenation, in any number of dimensions."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]
        norm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[dims - 1]
        self.stem, self.a, self.norm = conv(2, 8, 3, padding=1), conv(8, 8, 3, padding=1), norm(8)
        self.b, self.c, self.short = conv(8, 8, 3, 2, 1), conv(8, 8, 3, padding=1), conv(8, 8, 1, 2)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.norm(self.a(x))
        x = self.c(torch.relu(self.b(x))) + self.short(x)
        x = torch.cat([x, functional.relu(x)], 1)
        return self.head(x.flatten(2).mean(-1))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_any_number_of_dimensions(check: Any, dims: int) -> None:
    found = [("add", "short_skip", (8, 8)), ("add2", "short_skip", (8, 8)), ("cat", "same_layer", (8, 8))]
    space = check(Planar(dims), (1, 2, *(8,) * dims), found)
    assert [point.sizes[0] for point in space.points] == [(8,) * dims, (4,) * dims, (4,) * dims]


class LengthFirst(nn.Module):
    """`(N, B, C)`, as `nn.MultiheadAttention` takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm, self.mlp = nn.Conv2d(3, 8, 2, 2), nn.LayerNorm(8), nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).permute(2, 0, 1)
        x = x + self.attention(x, x, x)[0]
        return (x + self.mlp(self.norm(x))).mean(0)


def test_the_batch_may_be_any_axis(check: Any) -> None:
    check(LengthFirst(), (1, 3, 8, 8), [("add", "short_skip", (8, 8)), ("add2", "short_skip", (8, 8))])


class Flat(nn.Module):
    """A normalisation of all tokens of all images together, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm, self.a, self.b = (
            nn.Conv2d(3, 8, 2, 2),
            nn.BatchNorm1d(8),
            nn.Linear(8, 8),
            nn.Linear(8, 8),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        y = self.a(x)
        y = self.norm(y.flatten(0, 1)).reshape_as(y)
        return (y + torch.relu(self.b(y))).mean(1)


def test_the_batch_is_found_again_after_it_was_flattened(check: Any) -> None:
    check(Flat(), (1, 3, 8, 8), [("add", "short_skip", (8, 8))])


class Last(nn.Module):
    """Concatenations, sums and a mean on `(B, H, W, C)`, its input as well."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 8), nn.Linear(8, 8), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        x = torch.stack([x, self.b(x)]).mean(0)
        x = self.c(torch.cat((x, torch.relu(self.b(x))), dim=-1))
        return x.view(x.shape[0], -1)


def test_channels_are_last_from_the_start(check: Any) -> None:
    space = check(Last(), (1, 6, 5, 3), [("add", "short_skip", (8, 8)), ("cat", "short_skip", (8, 8))])
    assert [point.sizes[0] for point in space.points] == [(6, 5), (6, 5)]


class Rows(nn.Module):
    """A convolution says that the last axis is the width, a normalisation that it holds features."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 3, padding=1), nn.LayerNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        return self.a(x) + self.norm(self.b(x))


class Unknown(nn.Module):
    """Nothing says what the axes are."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x) + torch.sin(x)


@pytest.mark.parametrize(
    ("model", "shape", "words"),
    [(Rows(), (1, 3, 6, 6), "disagrees"), (Unknown(), (2, 4, 5, 6), "nothing says")],
    ids=["conflict", "nothing"],
)
def test_without_evidence_there_is_no_point_but_a_notice(model: nn.Module, shape: Any, words: str) -> None:
    space = spaces.trace(model, torch.randn(shape))
    assert space.points == ()
    (notice,) = plan_of(space).notices
    assert notice.startswith("a sum of ")
    assert words in notice


class Response(nn.Module):
    """A normalisation of responses: the map is summed with itself, scaled."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.inner = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 8)
        self.gamma, self.beta = nn.Parameter(torch.randn(8)), nn.Parameter(torch.randn(8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.inner(self.stem(x).permute(0, 2, 3, 1))
        norm = x.norm(p=2, dim=(1, 2), keepdim=True)
        scaled = x * (norm / (norm.mean(dim=-1, keepdim=True) + 1e-6))
        x = torch.addcmul(self.beta, self.gamma, scaled) + x
        return self.gamma * scaled + self.beta + x * 0.5


def test_a_map_is_not_summed_with_itself() -> None:
    space = spaces.trace(Response(), torch.randn(1, 3, 6, 6))
    assert [point.name for point in space.points] == []
