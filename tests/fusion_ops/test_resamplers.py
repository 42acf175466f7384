"""What every registered resampler keeps, and naive references of each, written from its formula in float64."""

from __future__ import annotations

import math
import pickle
import re
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import fusion_ops
from fusion_ops import Cost, FusionChoice, Upsampling
from fusion_ops.errors import SpecError, UnknownNameError
from fusion_ops.resamplers.resampler import RESAMPLERS

C = 8
SIZES = [((5, 4), (10, 8)), ((5, 4), (9, 7)), ((3, 2), (9, 6)), ((1, 1), (2, 2)), ((1, 3), (1, 6))]
EVERY = fusion_ops.resamplers()
LEARNED = [name for name in EVERY if not fusion_ops.resampler(name).any_ratio]
START = {"nearest": "nearest", "bilinear": "bilinear", "pixelshuffle": "nearest", "dysample": "bilinear"}
every = pytest.mark.parametrize("name", EVERY)
every_size = pytest.mark.parametrize(("before", "after"), SIZES, ids=str)


def made(name: str, before: tuple[int, ...] = (5, 4), after: tuple[int, ...] = (10, 8), channels: int = C) -> nn.Module:
    return Upsampling(name, channels, before, after).recipe().build()


def shaken(module: nn.Module) -> nn.Module:
    """Return it in float64, its parameters random."""
    module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def enlarged(x: Tensor, factor: int, mode: str, after: tuple[int, ...]) -> Tensor:
    how = {} if mode == "nearest" else {"align_corners": False}
    whole = functional.interpolate(x, scale_factor=factor, mode=mode, **how)  # type: ignore[arg-type]
    return whole[:, :, : after[0], : after[1]]


def test_the_usual_ones_are_registered() -> None:
    assert set(EVERY) >= {"nearest", "bilinear", "pixelshuffle", "carafe", "dysample"}
    with pytest.raises(UnknownNameError, match="unknown resampler `cafare`; did you mean `carafe`"):
        fusion_ops.resampler("cafare")
    with pytest.raises(SpecError, match=r"`sum` must be a subclass of fusion_ops\.Resampler"):
        fusion_ops.register_resampler("sum")(fusion_ops.operator("sum"))  # type: ignore[type-var]


@every
@every_size
def test_shape_gradients_and_exact_cost(name: str, before: tuple[int, int], after: tuple[int, int]) -> None:
    wanted = Upsampling(name, C, before, after)
    module, x = wanted.recipe().build(), torch.randn(3, C, *before, requires_grad=True)
    enlarged = module(x, after)
    assert enlarged.shape == (3, C, *after)
    enlarged.square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    for part, parameter in module.named_parameters():
        assert parameter.grad is not None, part
        assert parameter.grad.isfinite().all(), part
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        wanted.recipe().build()(torch.empty(1, C, *before), after)
    assert wanted.cost() == Cost(sum(p.numel() for p in module.parameters()), counter.get_total_flops())


@every
def test_keeps_dtype_order_of_memory_and_copies(name: str) -> None:
    module, x = made(name), torch.randn(2, C, 5, 4)
    expected = module(x, (10, 8))
    assert torch.equal(pickle.loads(pickle.dumps(module))(x, (10, 8)), expected)  # noqa: S301
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(module(last, (10, 8)), expected)
    for dtype in (torch.float64, torch.bfloat16):
        assert made(name).to(dtype)(x.to(dtype), (10, 8)).dtype == dtype
    with torch.autocast("cpu", torch.bfloat16):
        assert module(x, (10, 8)).isfinite().all()


@every
def test_describes_itself(name: str) -> None:
    cls = fusion_ops.resampler(name)
    assert cls.formula
    assert "\n" not in cls.formula
    assert "-> (B, C, " in str(cls.__doc__)


@pytest.mark.parametrize(("name", "mode"), START.items())
@every_size
def test_starts_as_interpolation(name: str, mode: str, before: tuple[int, int], after: tuple[int, int]) -> None:
    wanted = Upsampling(name, C, before, after)
    x = torch.randn(2, C, *before)
    if fusion_ops.resampler(name).any_ratio:
        how = {} if mode == "nearest" else {"align_corners": False}
        expected = functional.interpolate(x, size=after, mode=mode, **how)  # type: ignore[arg-type]
    else:
        assert wanted.factor is not None
        expected = enlarged(x, wanted.factor, mode, after)
    torch.testing.assert_close(wanted.recipe().build()(x, after), expected, rtol=1e-5, atol=1e-5)


def test_carafe_starts_near_bilinear() -> None:
    """Two percent of the weight of a kernel lie on 21 positions that bilinear interpolation does not look at."""
    x = torch.randn(2, C, 6, 5)
    off = made("carafe", (6, 5), (12, 10))(x, (12, 10)) - enlarged(x, 2, "bilinear", (12, 10))
    assert 0 < off.square().mean().sqrt() < 0.02
    constant = made("carafe", (6, 5), (12, 10))(torch.ones(1, C, 6, 5), (12, 10))
    torch.testing.assert_close(constant, torch.ones(1, C, 12, 10))  # edges, too: kernels sum to 1


def test_pixelshuffle_as_in_its_formula() -> None:
    module, x = shaken(made("pixelshuffle")), torch.randn(2, C, 5, 4, dtype=torch.float64)
    weight, bias = module.expand.weight[:, :, 0, 0], module.expand.bias  # type: ignore[index, union-attr]
    out = torch.zeros(2, C, 10, 8, dtype=torch.float64)
    for c, row, column in product(range(C), range(10), range(8)):
        part = 4 * c + 2 * (row % 2) + column % 2
        out[:, c, row, column] = x[:, :, row // 2, column // 2] @ weight[part] + bias[part]  # type: ignore[operator]
    torch.testing.assert_close(module(x, (10, 8)), out)


def test_carafe_as_in_its_formula() -> None:
    module, x = shaken(made("carafe")), torch.randn(2, C, 5, 4, dtype=torch.float64)
    p = {key: value.detach() for key, value in module.named_parameters()}
    compressed = torch.einsum("oc,bchw->bohw", p["channel_compressor.weight"][:, :, 0, 0], x)
    compressed = compressed + p["channel_compressor.bias"][:, None, None]
    logits = functional.conv2d(compressed, p["content_encoder.weight"], p["content_encoder.bias"], padding=1)
    out = torch.zeros(2, C, 10, 8, dtype=torch.float64)
    for row, column in product(range(10), range(8)):
        own = logits[:, 2 * (row % 2) + column % 2 :: 4, row // 2, column // 2]
        powers = torch.exp(own)
        for n, (down, across) in enumerate(product(range(-2, 3), range(-2, 3))):
            there = min(max(row // 2 + down, 0), 4), min(max(column // 2 + across, 0), 3)
            out[:, :, row, column] += (powers[:, n] / powers.sum(1))[:, None] * x[:, :, there[0], there[1]]
    torch.testing.assert_close(module(x, (10, 8)), out)


@pytest.mark.parametrize("channels", [8, 6, 3], ids="{} channels".format)
def test_dysample_as_in_its_formula(channels: int) -> None:
    module = shaken(made("dysample", channels=channels))
    x = torch.randn(2, channels, 5, 4, dtype=torch.float64)
    p = {key: value.detach() for key, value in module.named_parameters()}
    groups = {8: 4, 6: 2, 3: 1}[channels]
    offset = torch.einsum("oc,bchw->bohw", p["offset.weight"][:, :, 0, 0], x) + p["offset.bias"][:, None, None]
    out = torch.zeros(2, channels, 10, 8, dtype=torch.float64)
    for b, c, row, column in product(range(2), range(channels), range(10), range(8)):
        group, part = c // (channels // groups), 2 * (row % 2) + column % 2
        across, down = (
            0.25 * float(offset[b, (axis * groups + group) * 4 + part, row // 2, column // 2]) for axis in (0, 1)
        )
        y = min(max((row + 0.5) / 2 - 0.5 + down, 0.0), 4.0)
        z = min(max((column + 0.5) / 2 - 0.5 + across, 0.0), 3.0)
        top, left = min(math.floor(y), 3), min(math.floor(z), 2)
        t, s, here = y - top, z - left, x[b, c]
        above = (1 - s) * here[top, left] + s * here[top, left + 1]
        out[b, c, row, column] = (1 - t) * above + t * ((1 - s) * here[top + 1, left] + s * here[top + 1, left + 1])
    torch.testing.assert_close(module(x, (10, 8)), out)


def test_costs_by_hand() -> None:
    """64 channels from 16 × 16 to 32 × 32."""
    costs = {name: Upsampling(name, 64, (16, 16), (32, 32)).cost() for name in EVERY}
    assert costs["nearest"] == costs["bilinear"] == Cost()
    assert costs["dysample"] == Cost(64 * 32 + 32, 2 * 64 * 32 * 256)
    assert costs["pixelshuffle"] == Cost(64 * 256 + 256, 2 * 64 * 256 * 256)
    flops = 2 * 256 * (64 * 16 + 9 * 16 * 100 + 64 * 100)
    assert costs["carafe"] == Cost(64 * 16 + 16 + 9 * 16 * 100 + 100, flops)


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ((8, 8), (12, 12), "one whole factor f.*got 8 × 8 to 12 × 12.*Use one of bilinear, nearest"),
        ((8, 8), (16, 24), "one whole factor f.*Use one of bilinear, nearest"),
        ((8,), (16,), "two spatial dimensions; got 8 to 16.*Use one of bilinear, nearest"),
    ],
    ids=str,
)
def test_refuses_sizes_by_name_and_says_who_can(
    name: str, before: tuple[int, ...], after: tuple[int, ...], why: str
) -> None:
    with pytest.raises(SpecError, match=f"`{name}` .*{why}"):
        Upsampling(name, C, before, after)
    for able in ("bilinear", "nearest"):
        x = torch.randn(1, C, *before)
        assert Upsampling(able, C, before, after).recipe().build()(x, after).shape == (1, C, *after)


@pytest.mark.parametrize("name", LEARNED)
def test_refuses_maps_that_it_was_not_made_for(name: str) -> None:
    module = made(name)
    with pytest.raises(SpecError, match=r"enlarges \(B, 8, h, w\) 2 times; got \(1, 8, 5, 4\) for 11 × 8"):
        module(torch.randn(1, C, 5, 4), (11, 8))
    with pytest.raises(SpecError, match=r"got \(1, 7, 5, 4\)"):
        module(torch.randn(1, 7, 5, 4), (10, 8))
    with pytest.raises(SpecError, match="got 0 and 2"):
        fusion_ops.resampler(name)(0, 2)  # type: ignore[call-arg]


@every
def test_is_exported_for_any_batch(name: str) -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = shaken(made(name)).float()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.inner(x, (9, 8))
            return out

    network = Fixed().eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(network, (torch.randn(3, C, 5, 4),), dynamic_shapes={"x": {0: batch}})
    x = torch.randn(5, C, 5, 4)
    torch.testing.assert_close(program.module()(x), network(x))


def test_a_choice_with_a_resampler() -> None:
    choice = FusionChoice("aff", 4, resampler="carafe")
    assert str(choice) == "aff r=4 after carafe"
    assert choice.to_dict() == {"op": "aff", "r": 4, "resampler": "carafe"}
    assert FusionChoice.from_dict(choice.to_dict()) == choice
    assert choice.operator == FusionChoice("aff", 4) == FusionChoice("aff", 4, resampler="bilinear")
    assert FusionChoice("aff", 4).to_dict() == {"op": "aff", "r": 4}
    with pytest.raises(SpecError, match="`resampler` must be the name"):
        FusionChoice("aff", 4, resampler=2)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"without its resampler; got aff r=4 after carafe. Write `choice.operator`"):
        fusion_ops.build(choice, (C, C), C)
    assert fusion_ops.build(choice.operator, (C, C), C) is not None


def test_the_page_has_every_formula_and_exact_figure_and_its_code_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operators.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^## Resamplers\n(.*?)(?=^## )", page, re.DOTALL | re.MULTILINE)
    words = " ".join(text.split())
    for name in EVERY:
        formula = " ".join(fusion_ops.resampler(name).formula.split())
        assert f"| `{name}` | `{formula}` |" in words
    for name in LEARNED:
        cost = Upsampling(name, 64, (16, 16), (32, 32)).cost()
        said = (f"{cost.params:,} parameters and {cost.flops:,}", f"{cost.params:,} and {cost.flops:,}")
        assert any(f"`{name}` {one}" in words for one in said)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    try:
        exec(compile(code, "operators.md", "exec"), {})  # noqa: S102 - the page's own
        wanted = Upsampling("transposed", C, (5, 4), (10, 8))
        assert wanted.cost() == Cost(4 * C * C + C, 2 * 4 * C * C * 20)
        assert wanted.recipe().build()(torch.randn(1, C, 5, 4), (10, 8)).shape == (1, C, 10, 8)
    finally:
        RESAMPLERS._entries.pop("transposed", None)
