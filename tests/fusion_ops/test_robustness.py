"""What surrounds an operator in practice: layouts, precisions, compilers, transforms, several processes."""

import functools
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

import fusion_ops
from fusion_ops import FusionChoice

C = 8
CUDA = torch.cuda.is_available()
DEVICES = ["cpu", *(["cuda"] if CUDA else [])]
CHOICES = [FusionChoice(name, 2 if fusion_ops.operator(name).reduces else None) for name in fusion_ops.names()]
every_choice = pytest.mark.parametrize("choice", CHOICES, ids=str)
every_count = pytest.mark.parametrize("inputs", [2, 3])
every_device = pytest.mark.parametrize("device", DEVICES)
DISTINCT = [
    choice
    for choice in CHOICES
    if choice.op
    in {"iaff", "sk", "eca", "modulate", "bifpn", "parsenet", "attnres", "gated", "max", "product", "coord"}
]
LEARNING = [choice for choice in CHOICES if fusion_ops.cost(choice, (C, C), C, ((1, 1),) * 2).params]


def made(choice: FusionChoice, inputs: int = 2) -> nn.Module:
    return fusion_ops.build(choice, (C,) * inputs, C)


def maps(inputs: int = 2, *, batch: int = 4, dtype: torch.dtype = torch.float32, device: str = "cpu") -> list[Tensor]:
    return [torch.randn(batch, C, 6, 5, device=device).to(dtype) for _ in range(inputs)]


@every_choice
@every_count
@every_device
def test_channels_last_inside_and_out(choice: FusionChoice, inputs: int, device: str) -> None:
    """Training mode too, and without one copy that changes the layout on the way."""
    op = made(choice, inputs).to(device, memory_format=torch.channels_last)
    features = [x.contiguous(memory_format=torch.channels_last) for x in maps(inputs, device=device)]
    seen: list[Tensor] = []
    for module in op.modules():
        module.register_forward_hook(lambda _module, _args, output: seen.append(output))
    seen.append(op(*features))
    wide = [output for output in seen if output.ndim == 4 and output.shape[2:] == features[0].shape[2:]]
    assert wide
    assert all(output.is_contiguous(memory_format=torch.channels_last) for output in wide)


@every_choice
@every_count
@every_device
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_trains(choice: FusionChoice, inputs: int, device: str, dtype: torch.dtype) -> None:
    op = made(choice, inputs).to(device)
    features = [x.requires_grad_() for x in maps(inputs, device=device)]
    expected = op(*features)
    with torch.autocast(device, dtype):
        fused = op(*features)
    torch.testing.assert_close(fused.float(), expected, rtol=0.1, atol=0.15)
    fused.float().square().mean().backward()
    for tensor in (*op.parameters(), *features):
        assert tensor.grad is not None
        assert tensor.grad.dtype == torch.float32
        assert tensor.grad.isfinite().all()


@every_choice
@every_count
@every_device
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_pure_half_precision_trains(choice: FusionChoice, inputs: int, device: str, dtype: torch.dtype) -> None:
    op = made(choice, inputs).to(device, dtype)
    features = [x.requires_grad_() for x in maps(inputs, dtype=dtype, device=device)]
    fused = op(*features)
    assert fused.dtype == dtype
    fused.square().mean().backward()
    for tensor in (*op.parameters(), *features):
        assert tensor.grad is not None
        assert tensor.grad.dtype == dtype
        assert tensor.grad.isfinite().all()


@every_choice
@every_count
def test_views_compute_the_same(choice: FusionChoice, inputs: int) -> None:
    """Transposed, strided, sliced by channels, expanded: what counts is the values."""
    op = made(choice, inputs).eval()
    views = [
        torch.randn(4, C, 5, 6).transpose(2, 3),
        torch.randn(4, C, 12, 10)[:, :, ::2, ::2],
        torch.randn(4, 2 * C, 6, 5)[:, 1::2],
        torch.randn(1, C, 6, 1).expand(4, C, 6, 5),
    ]
    for start in range(len(views)):
        features = [views[(start + i) % len(views)] for i in range(inputs)]
        assert not all(x.is_contiguous() for x in features)
        torch.testing.assert_close(op(*features), op(*(x.contiguous() for x in features)))


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Each(nn.Module):
    """Operators side by side on the same maps, for one graph of all.

    With two inputs all of them; with more, one of each way to treat any number.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.choices = CHOICES if inputs == 2 else DISTINCT
        self.operators = nn.ModuleList(made(choice, inputs) for choice in self.choices)

    def forward(self, *features: Tensor) -> tuple[Tensor, ...]:
        return tuple(operator(*features) for operator in self.operators)


@pytest.mark.usefixtures("fresh_compiler")
def test_compiles_into_one_graph_forward_and_backward() -> None:
    """`fullgraph` raises at a break; AOTAutograd traces the backward pass as well.

    What each operator computes from two inputs is compiled, backward too, in the tests of `compiled`.
    """
    each, twin = Each(3), Each(3)
    twin.load_state_dict(each.state_dict())
    compiled = torch.compile(twin, fullgraph=True, backend="aot_eager")
    features = [x.requires_grad_() for x in maps(3)]
    both = each(*features), compiled(*features)
    for choice, expected, fused in zip(each.choices, *both, strict=True):
        torch.testing.assert_close(fused, expected, msg=lambda text, choice=choice: f"{choice}: {text}")
    gradients = [
        torch.autograd.grad(sum(z.square().sum() for z in fused), [*module.parameters(), *features])
        for fused, module in zip(both, (each, twin), strict=True)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


@functools.cache
def exported(inputs: int) -> tuple[Each, torch.export.ExportedProgram]:
    each, batch = Each(inputs).eval(), torch.export.Dim("batch", min=1, max=64)
    shapes = (({0: batch},) * inputs,)
    return each, torch.export.export(each, tuple(maps(inputs)), dynamic_shapes=shapes, strict=False)


@every_count
def test_exports_with_a_dynamic_batch(inputs: int) -> None:
    each, program = exported(inputs)
    for count in (1, 2, 7):
        features = maps(inputs, batch=count)
        for choice, one, other in zip(each.choices, program.module()(*features), each(*features), strict=True):
            torch.testing.assert_close(one, other, msg=lambda text, choice=choice: f"{choice}: {text}")


def test_exports_to_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="the ONNX exporter of PyTorch needs onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime", reason="running an ONNX model needs onnxruntime")
    (each, program), path = exported(2), tmp_path / "operators.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(program, (), path, verbose=False, external_data=False, optimize=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    for count in (1, 3):
        features = maps(batch=count)
        fused = session.run(None, {name: x.numpy() for name, x in zip(names, features, strict=True)})
        for choice, one, other in zip(each.choices, fused, each(*features), strict=True):
            assert (torch.from_numpy(one) - other).abs().max() < 1e-4, choice


@every_choice
@every_count
def test_vmaps_over_inputs_and_over_an_ensemble(choice: FusionChoice, inputs: int) -> None:
    op, others = made(choice, inputs).eval(), made(choice, inputs).eval()
    features = [torch.randn(3, 4, C, 6, 5) for _ in range(inputs)]
    mapped = vmap(lambda *xs: functional_call(op, dict(op.named_parameters()), xs))(*features)
    torch.testing.assert_close(mapped, torch.stack([op(*xs) for xs in zip(*features, strict=True)]))
    states = [{**dict(o.named_parameters()), **dict(o.named_buffers())} for o in (op, others)]
    stacked = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    one = [x[0] for x in features]
    if stacked:
        ensemble = vmap(lambda state: functional_call(op, state, tuple(one)))(stacked)
        torch.testing.assert_close(ensemble, torch.stack([op(*one), others(*one)]))


@every_choice
@every_count
@pytest.mark.parametrize("init", ["default", "sum"])
def test_double_backward(choice: FusionChoice, inputs: int, init: str) -> None:
    """Gradients of gradients agree with differences, as gradient penalties and meta-learning need them."""
    op = fusion_ops.build(choice, (C,) * inputs, C, init=init).double().eval()
    features = [torch.randn(1, C, 2, 1, dtype=torch.float64, requires_grad=True) for _ in range(inputs)]
    assert torch.autograd.gradgradcheck(lambda *xs: op(*xs).square().mean(), features, fast_mode=True)


@every_choice
def test_silence_has_finite_second_derivatives(choice: FusionChoice) -> None:
    op = made(choice).train()
    features = [torch.zeros(4, C, 3, 3, requires_grad=True) for _ in range(2)]
    first = torch.autograd.grad(op(*features).square().sum() + op(*features).sum(), features, create_graph=True)
    second = torch.autograd.grad(sum((g * g).sum() for g in first), features, allow_unused=True)
    assert all(g.isfinite().all() for g in (*first, *(g for g in second if g is not None)))


@pytest.fixture(scope="module")
def process_group() -> Iterator[None]:
    if not torch.distributed.is_available():
        pytest.skip("this PyTorch has no torch.distributed")
    handle, path = tempfile.mkstemp()
    os.close(handle)
    Path(path).unlink()
    torch.distributed.init_process_group("gloo", init_method=f"file://{path}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("choice", LEARNING, ids=str)
@every_count
@pytest.mark.parametrize("init", ["default", "sum"])
@pytest.mark.usefixtures("process_group")
def test_no_unused_parameter_under_ddp(choice: FusionChoice, inputs: int, init: str) -> None:
    """A second step raises where a parameter took no part in the first: DDP waits for it in vain."""
    op = fusion_ops.build(choice, (C,) * inputs, C, init=init)
    parallel = nn.parallel.DistributedDataParallel(op)
    for _ in range(3):
        parallel(*maps(inputs)).square().mean().backward()


@pytest.mark.usefixtures("process_group")
def test_ddp_would_notice_an_unused_parameter() -> None:
    op = fusion_ops.IAFF(C, r=2, shared_global=True)
    op.global_att2.requires_grad_(True)
    parallel = nn.parallel.DistributedDataParallel(op)
    parallel(*maps()).square().mean().backward()
    with pytest.raises(RuntimeError, match="finished reduction"):
        parallel(*maps())
