"""What every registered operator keeps, in each of its settings: a new operator earns these tests."""

import copy
import io
import pickle
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

import fusion_ops
from fusion_ops import FusionChoice

C = 8
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
SPACE = {1: (6,), 2: (6, 5), 3: (4, 3, 2)}


def settings(name: str, *, reductions: tuple[int, ...] = (2,)) -> list[FusionChoice]:
    """The defaults with each ratio, and each other value of each option by itself."""
    cls = fusion_ops.operator(name)
    ratios = reductions if cls.reduces else (None,)
    plain = [FusionChoice(name, r) for r in ratios]
    others = [(key, value) for key, values in cls.options.items() for value in values[1:]]
    return plain + [FusionChoice(name, ratios[0], (option,)) for option in others]


CHOICES = [choice for name in fusion_ops.names() for choice in settings(name)]
# Operators whose weights do not sum to N: gates that each stand by itself, and what is no weighted sum.
OTHER_SCALE = {"concat", "modulate", "asymbi", "parsenet", "product", "gated", "cbam", "coord"}
SAME_SCALE = [choice for choice in CHOICES if choice.op not in OTHER_SCALE and choice.op != "scaled"]
SILENT = [choice for choice in CHOICES if choice.op == "scaled" and ("scale", "paper") in choice.options]
REDUCING = [name for name in fusion_ops.names() if fusion_ops.operator(name).reduces]
UNKNOWN_TO_CONVERTERS = {"lerp", "addcmul", "addcdiv", "rsub"}
every_choice = pytest.mark.parametrize("choice", CHOICES, ids=str)


def maps(inputs: int = 2, *, batch: int = 4, dims: int = 2, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [torch.randn(batch, C, *SPACE[dims], dtype=dtype) for _ in range(inputs)]


def made(choice: FusionChoice, inputs: int = 2, **kwargs: object) -> nn.Module:
    return fusion_ops.build(choice, (C,) * inputs, C, **kwargs)  # type: ignore[arg-type]


def test_all_operators_are_registered() -> None:
    more = {"split_attention", "modulate", "asymbi", "eca", "bifpn", "asff", "parsenet", "scaled_sum"}
    more |= {"scaled", "gated", "softmax", "attnres", "gate", "max", "product", "cbam", "coord"}
    assert set(fusion_ops.names()) >= more
    assert set(REDUCING) >= {"split_attention", "modulate", "asymbi", "gated", "gate", "cbam", "coord"}
    fixed = {"eca", "bifpn", "asff", "parsenet", "scaled_sum", "scaled", "softmax", "attnres", "max", "product"}
    assert not fixed & set(REDUCING)
    assert set(fusion_ops.names()) >= {"sum", "concat", "sk", "aff", "iaff"}
    assert set(REDUCING) >= {"sk", "aff", "iaff"}
    assert not {"sum", "concat"} & set(REDUCING)


@every_choice
@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("inputs", [2, 3])
def test_shape_and_gradient_to_every_parameter(choice: FusionChoice, inputs: int, dims: int) -> None:
    op, features = made(choice, inputs, dims=dims), maps(inputs, dims=dims)
    for feature in features:
        feature.requires_grad_()
    fused = op(*features)
    assert fused.shape == (4, C, *SPACE[dims])
    assert fused.dtype == torch.float32
    fused.square().sum().backward()
    for name, tensor in [*op.named_parameters(), *((f"input {i}", x) for i, x in enumerate(features))]:
        assert tensor.grad is not None, f"{name} has no gradient"
        assert tensor.grad.isfinite().all(), name
    for feature in features if choice not in SILENT else features[-1:]:
        assert feature.grad.abs().sum() > 0


@pytest.mark.parametrize("choice", SILENT, ids=str)
def test_what_starts_as_the_identity_learns_from_the_other_inputs_after_one_step(choice: FusionChoice) -> None:
    """As published: at first nothing passes of the other inputs, and the scale itself has a gradient."""
    op, features = made(choice, 3), [x.requires_grad_() for x in maps(3)]
    assert torch.equal(op(*features), features[-1])
    optimiser = torch.optim.SGD(op.parameters(), lr=0.1)
    op(*features).square().sum().backward()
    optimiser.step()
    op(*features).square().sum().backward()
    assert all(feature.grad.abs().sum() > 0 for feature in features)


@every_choice
@pytest.mark.parametrize("size", [(6, 5), (1, 1)], ids=str)
def test_trains_with_batch_size_one(choice: FusionChoice, size: tuple[int, int]) -> None:
    op = made(choice).train()
    fused = op(*(torch.randn(1, C, *size, requires_grad=True) for _ in range(2)))
    fused.square().sum().backward()
    assert fused.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in op.parameters())


@pytest.mark.parametrize("choice", SAME_SCALE, ids=str)
@pytest.mark.parametrize("inputs", [2, 3, 4])
def test_same_scale(choice: FusionChoice, inputs: int) -> None:
    """Weights sum to N (`scale=paper`: to 1), whatever they are, so `op(x, …, x) = N·x`."""
    op, (x,) = made(choice, inputs).double(), maps(1, dtype=torch.float64)
    times = 1 if ("scale", "paper") in choice.options else inputs
    published = choice.op == "bifpn" and times == 1  # its ε takes a little from the weights
    for mode in (op.train(), op.eval()):
        torch.testing.assert_close(mode(*[x] * inputs), times * x, rtol=1e-4 if published else 1e-7, atol=1e-7)


@every_choice
@pytest.mark.parametrize("inputs", [2, 3])
def test_keeps_channels_last(choice: FusionChoice, inputs: int) -> None:
    op = made(choice, inputs).to(memory_format=torch.channels_last)
    features = [x.contiguous(memory_format=torch.channels_last) for x in maps(inputs)]
    fused = op(*features)
    assert fused.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(fused, op(*(x.contiguous() for x in features)))


@every_choice
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_keeps_its_dtype(choice: FusionChoice, dtype: torch.dtype) -> None:
    for inputs in (2, 3):
        fused = made(choice, inputs).to(dtype)(*maps(inputs, dtype=dtype))
        assert fused.dtype == dtype
        assert fused.isfinite().all()


@every_choice
@pytest.mark.parametrize("device", DEVICES)
def test_autocast_keeps_reduced_precision_and_mixes_it(choice: FusionChoice, device: str) -> None:
    for inputs in (2, 3):
        op = made(choice, inputs).to(device)
        features = [x.to(device) for x in maps(inputs, dtype=torch.bfloat16)]
        with torch.autocast(device, torch.bfloat16):
            assert op(*features).dtype == torch.bfloat16
            mixed = op(features[0], *(x.float() for x in features[1:]))
        assert mixed.isfinite().all()


@every_choice
def test_inputs_stay_as_they_are(choice: FusionChoice) -> None:
    features = maps(3)
    before = [x.clone() for x in features]
    made(choice, 3)(*features)
    assert all(torch.equal(x, old) for x, old in zip(features, before, strict=True))


@every_choice
def test_copies_compute_the_same(choice: FusionChoice) -> None:
    op, features = made(choice), maps()
    op(*features)
    expected = op.eval()(*features)
    fresh = made(choice).eval()
    stored = io.BytesIO()
    torch.save(op.state_dict(), stored)
    stored.seek(0)
    fresh.load_state_dict(torch.load(stored, weights_only=True), strict=True)
    for twin in (copy.deepcopy(op), pickle.loads(pickle.dumps(op)), fresh):  # noqa: S301
        assert torch.equal(twin(*features), expected)
        shared = {p.data_ptr() for p in op.parameters()} & {p.data_ptr() for p in twin.parameters()}
        assert not shared


@every_choice
@pytest.mark.parametrize(
    ("in_channels", "out_channels", "sizes"),
    [
        ((C, C), C, ((6, 5), (6, 5))),
        ((C, C, C), C, ((6, 5), (3, 3), (6, 5))),
        ((12, C, 5), 16, ((6, 5), (12, 10), (3, 3))),
        ((6, 4, 6), 16, ((6, 5), (3, 3), (6, 5))),
        ((16, 16), 5, ((1, 1), (1, 1))),
    ],
    ids=str,
)
def test_cost_is_that_of_the_module(
    choice: FusionChoice,
    in_channels: tuple[int, ...],
    out_channels: int,
    sizes: tuple[tuple[int, ...], ...],
) -> None:
    with torch.device("meta"):
        op = fusion_ops.build(choice, in_channels, out_channels)
        features = [torch.empty(1, c, *size) for c, size in zip(in_channels, sizes, strict=True)]
    with FlopCounterMode(display=False) as counter:
        fused = op(*features)
    cost = fusion_ops.cost(choice, in_channels, out_channels, sizes)
    assert fused.shape == (1, out_channels, *sizes[0])
    assert cost.params == sum(parameter.numel() for parameter in op.parameters())
    assert cost.flops == counter.get_total_flops()


@pytest.mark.parametrize("dims", [1, 3])
@every_choice
def test_cost_holds_in_other_dimensions(choice: FusionChoice, dims: int) -> None:
    with torch.device("meta"):
        op = fusion_ops.build(choice, (C, 6), C, dims=dims)
        features = [torch.empty(1, c, *SPACE[dims]) for c in (C, 6)]
    with FlopCounterMode(display=False) as counter:
        op(*features)
    cost = fusion_ops.cost(choice, (C, 6), C, (SPACE[dims],) * 2)
    assert cost == fusion_ops.Cost(sum(p.numel() for p in op.parameters()), counter.get_total_flops())


@pytest.mark.parametrize("name", REDUCING)
def test_width_is_clamped_and_equal_widths_are_equal_networks(name: str) -> None:
    cls = fusion_ops.operator(name)
    widths = [cls.width(C, r) for r in (1, 2, 4, 8, 100)]
    assert all(wide >= narrow >= 1 for wide, narrow in pairwise(widths))
    assert cls.width(C, 100) == cls.width(C, 8)
    shapes = [[p.shape for p in made(FusionChoice(name, r)).parameters()] for r in (8, 100)]
    assert shapes[0] == shapes[1]
    assert made(FusionChoice(name, 100))(*maps()).shape == maps()[0].shape


@pytest.mark.parametrize("name", fusion_ops.names())
def test_describes_itself(name: str) -> None:
    cls = fusion_ops.operator(name)
    assert cls.formula
    assert "\n" not in cls.formula + cls.source
    assert "arXiv" in cls.source or not cls.__module__.startswith("fusion_ops.")
    assert all(len(set(values)) == len(values) >= 2 for values in cls.options.values())
    assert cls.__doc__ is not None
    assert "(B, C, *size)" in cls.__doc__ or "*size_1)" in cls.__doc__


@every_choice
def test_constructor_checks_its_options(choice: FusionChoice) -> None:
    cls = fusion_ops.operator(choice.op)
    for key in (*cls.options, "init"):
        with pytest.raises(fusion_ops.errors.SpecError, match=f"`{key}`.*'bogus'"):
            cls(C, **{key: "bogus"})
    for key, value in {"inputs": 1, "dims": 4}.items():
        with pytest.raises(fusion_ops.errors.SpecError, match=str(value)):
            cls(C, **{key: value})
    with pytest.raises(fusion_ops.errors.SpecError, match="got 0"):
        cls(0)
    if cls.reduces:
        for r in (0, -1, 2.5, True):
            with pytest.raises(fusion_ops.errors.SpecError, match=f"`r`.*{r}"):
                cls(C, r=r)


@every_choice
@pytest.mark.parametrize("inputs", [2, 3])
def test_it_is_exported_in_operations_that_converters_know(choice: FusionChoice, inputs: int) -> None:
    op, features, others = made(choice, inputs).eval(), maps(inputs), [m[..., :3] for m in maps(inputs, batch=7)]
    sizes = {place: torch.export.Dim(name, min=2, max=64) for place, name in ((0, "batch"), (3, "width"))}
    program = torch.export.export(op, tuple(features), dynamic_shapes={"features": (sizes,) * inputs})

    called = [node for node in program.graph.nodes if node.op == "call_function"]
    assert not {str(node.target).split(".")[1] for node in called if "." in str(node.target)} & UNKNOWN_TO_CONVERTERS
    assert not [node for node in called if "alpha" in node.kwargs]
    for given in (features, others):
        torch.testing.assert_close(program.module()(*given), op(*given))


@every_choice
@pytest.mark.filterwarnings("ignore")  # what is old in the tracer, and checks of shapes that it does not follow
def test_a_run_that_is_traced_has_the_same_operations(choice: FusionChoice) -> None:
    """Without being asked: an exported network has a copy of the operators, which nobody can ask."""
    op, features = made(choice).eval(), tuple(maps())
    traced = torch.jit.trace(op, features, check_trace=False)
    kinds = {node.kind().removeprefix("aten::") for node in traced.inlined_graph.nodes()}
    assert not kinds & UNKNOWN_TO_CONVERTERS
    torch.testing.assert_close(traced(*features), op(*features))


@every_choice
def test_whoever_follows_a_run_can_ask_for_the_same_operations(choice: FusionChoice) -> None:
    op, features = made(choice).eval(), maps()
    with torch.no_grad(), fusion_ops.plain_spelling():
        followed = make_fx(op)(*features)

    names = {str(node.target).split(".")[1] for node in followed.graph.nodes if "." in str(node.target)}
    assert not names & UNKNOWN_TO_CONVERTERS
    torch.testing.assert_close(followed(*features), op(*features))
