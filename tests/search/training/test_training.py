import copy
import io
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import spaces
from fusion_ops.errors import ConfigError, Diverged
from search.training import data
from search.training.data import Split
from search.training.device import evaluated_together, place, resolve_device
from search.training.loop import DeviceData, Session, evaluate, train
from search.training.settings import DataConfig, TrainConfig

CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits():
    return data.load(DataConfig())


@pytest.fixture(scope="module")
def loaded(digits) -> DeviceData:
    return DeviceData(digits, CPU)


@pytest.fixture(scope="module")
def few(digits) -> DeviceData:
    """The first 100 training and 50 validation images."""
    return DeviceData(
        replace(
            digits,
            train=Split(digits.train.images[:100], digits.train.labels[:100]),
            validation=Split(digits.validation.images[:50], digits.validation.labels[:50]),
        ),
        CPU,
    )


def network(op: str = "aff", *, seed: int = 0) -> nn.Module:
    space = spaces.create(
        "resnet", depth=8, width=8, num_classes=10, in_channels=1, input_size=(8, 8), ops=("sum", "aff")
    )
    torch.manual_seed(seed)
    return space.build(space.uniform(op))


class Random(nn.Module):
    """A network whose output depends on random numbers in training."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(288, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([tensor.flatten().double() for tensor in model.state_dict().values()])


def test_a_small_network_learns_digits(loaded):
    session = Session(network("sum"), TrainConfig(epochs=6), CPU)
    results = list(train(session, loaded, TrainConfig(epochs=6), seed=0))
    assert len(results) == 6
    assert results[-1]["accuracy"] > 0.9
    assert results[-1]["loss"] < 0.5 < results[0]["loss"]
    assert evaluate(session.model, loaded, 128) == results[-1]


@pytest.mark.parametrize("build", [network, Random], ids=["aff", "dropout"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("stop", [1, 2, 4])
def test_a_continued_training_equals_an_uninterrupted_one(few, build, momentum, stop):
    settings = TrainConfig(epochs=4, batch_size=32, momentum=momentum)
    model = build()
    start = copy.deepcopy(model)
    whole = Session(model, settings, CPU)
    uninterrupted = list(train(whole, few, settings, seed=5))

    first = Session(start, settings, CPU)
    epochs = train(first, few, settings, seed=5)
    before = [next(epochs) for _ in range(stop)]
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    torch.rand(7)
    second = Session(build(), settings, CPU)
    second.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    after = list(train(second, few, settings, seed=5))

    assert before + after == uninterrupted
    assert torch.equal(weights(second.model), weights(whole.model))


def test_augmented_batches_are_drawn_anew_and_continue_the_same(few):
    settings = TrainConfig(epochs=2, batch_size=32, augment=("flip", "mixup"))
    whole = Session(network(), settings, CPU)
    uninterrupted = list(train(whole, few, settings, seed=5))
    first = Session(network(), settings, CPU)
    before = next(train(first, few, settings, seed=5))
    second = Session(network(), settings, CPU)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    after = list(train(second, few, settings, seed=5))
    assert [before, *after] == uninterrupted
    plain = TrainConfig(epochs=2, batch_size=32)
    assert list(train(Session(network(), plain, CPU), few, plain, seed=5)) != uninterrupted


def test_loaded_momentum_takes_the_memory_order_of_its_weights(few):
    settings = TrainConfig(epochs=2, batch_size=32)
    session = Session(network(), settings, CPU)
    next(train(session, few, settings, seed=0))
    state = copy.deepcopy(session.state_dict())
    for values in state["optimizer"]["state"].values():
        moment = values["momentum_buffer"]
        values["momentum_buffer"] = moment.T.contiguous().T if moment.ndim == 2 else moment.contiguous()
        if moment.ndim == 4:
            values["momentum_buffer"] = moment.to(memory_format=torch.channels_last)
    other = Session(network(), settings, CPU)
    other.load_state_dict(state)
    assert list(train(other, few, settings, seed=0)) == list(train(session, few, settings, seed=0))
    assert torch.equal(weights(other.model), weights(session.model))


def test_seeds_give_other_batches_and_leave_other_draws_alone(few):
    settings = TrainConfig(epochs=1, batch_size=32)

    def result(seed: int):
        (only,) = train(Session(network(), settings, CPU), few, settings, seed=seed)
        return only

    assert result(1) == result(1)
    assert result(1) != result(2)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    next(train(Session(Random(), settings, CPU), few, settings, seed=1))
    torch.manual_seed(3)
    session = Session(Random(), settings, CPU)
    torch.manual_seed(3)
    next(train(session, few, settings, seed=1))
    assert torch.equal(torch.rand(4), expected)


SCRIPT = """
import torch
from search.training.settings import TrainConfig
from search.training.data import Dataset, Split
from search.training.loop import DeviceData, Session, train
import spaces
torch.set_num_threads(1)
torch.manual_seed(0)
parts = [
    Split(torch.randint(256, (size, 1, 8, 8), dtype=torch.uint8), torch.arange(size) % 10) for size in (256, 64, 10)
]
dataset = Dataset("noise", "classification", tuple("0123456789"), *parts, mean=(0.5,), std=(0.3,))
# Channels-last memory order is not safe in training on a CPU with PyTorch 2.13.
space = spaces.create("resnet", depth=8, width=4, num_classes=10, in_channels=1, input_size=(8, 8), ops=("iaff",))
settings, cpu = TrainConfig(epochs=2, batch_size=64), torch.device("cpu")
session = Session(space.build(space.uniform("iaff")), settings, cpu)
for result in train(session, DeviceData(dataset, cpu), settings, seed=3):
    print(result["accuracy"], result["loss"].hex())
print(torch.cat([t.flatten().double() for t in session.model.state_dict().values()]).sum().item().hex())
"""


def test_two_processes_agree_bit_for_bit(capsys):
    other = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    exec(SCRIPT, {})  # noqa: S102 - the very same lines, in this process
    assert capsys.readouterr().out == other
    assert len(other.splitlines()) == 3


def test_a_step_is_sgd_with_nesterov_as_written_in_the_book(few):
    """Two epochs of one full batch, in float64 arithmetic by hand, against the optimizer."""
    settings = TrainConfig(epochs=2, batch_size=100, lr=0.1, weight_decay=0.01, label_smoothing=0.2, warmup=0.0)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    weight, bias = (p.detach().double().requires_grad_() for p in model[1].parameters())
    list(train(Session(model, settings, CPU), few, settings, seed=0))
    images, labels = few.normalize(few.train_images).flatten(1).double(), few.train_labels
    moments = [torch.zeros_like(weight), torch.zeros_like(bias)]
    for rate in (0.1, 0.1 * 1e-4):
        logits = images @ weight.T + bias
        logs = logits.log_softmax(dim=1)
        loss = -(0.8 * logs.gather(1, labels[:, None]).mean() + 0.2 * logs.mean(dim=1).mean())
        gradients = torch.autograd.grad(loss, (weight, bias))
        with torch.no_grad():
            for index, (parameter, gradient, decay) in enumerate(
                zip((weight, bias), gradients, (0.01, 0.0), strict=True)
            ):
                gradient = gradient + decay * parameter
                moments[index] = 0.9 * moments[index] + gradient
                parameter -= rate * (gradient + 0.9 * moments[index])
    assert torch.allclose(model[1].weight.double(), weight, atol=1e-6)
    assert torch.allclose(model[1].bias.double(), bias, atol=1e-6)


def test_norms_and_biases_do_not_decay():
    session = Session(network(), TrainConfig(weight_decay=0.5), CPU)
    decay = {id(p): group["weight_decay"] for group in session.optimizer.param_groups for p in group["params"]}
    for name, parameter in session.model.named_parameters():
        expected = 0.0 if "norm" in name or name.endswith("bias") or parameter.ndim == 1 else 0.5
        assert decay.pop(id(parameter)) == expected, name
    assert not decay


def seen_batches(model_data: DeviceData, batch_size: int) -> list[int]:
    """Sizes of the batches that a training of one epoch shows to the network."""
    sizes = []

    class Seeing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 10)

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                sizes.append(len(x))
            return self.linear(x.flatten(1))

    settings = TrainConfig(epochs=1, batch_size=batch_size)
    list(train(Session(Seeing(), settings, CPU), model_data, settings, seed=0))
    return sizes


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(32, [32, 32, 32]), (50, [50, 50]), (64, [64]), (100, [100]), (128, [100])]
)
def test_only_whole_batches_are_trained_on(few, batch_size, sizes):
    assert seen_batches(few, batch_size) == sizes


def test_an_epoch_shows_every_image_once(few):
    shown = []

    class Recording(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 10)

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                shown.extend(tuple(row.tolist()) for row in x.flatten(1))
            return self.linear(x.flatten(1))

    settings = TrainConfig(epochs=2, batch_size=20)
    list(train(Session(Recording(), settings, CPU), few, settings, seed=0))
    every = sorted(tuple(row.tolist()) for row in few.normalize(few.train_images).flatten(1))
    assert sorted(shown[:100]) == every
    assert sorted(shown[100:]) == every
    assert shown[:100] != shown[100:]


class Exploding(nn.Module):
    """Its logits are `value` in training step `at`, which leaves the weights as they are, or in evaluation."""

    def __init__(self, value: float, at: int) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)
        self.value, self.at, self.steps = value, at, 0

    def forward(self, x: Tensor) -> Tensor:
        logits = self.linear(x.flatten(1))
        if not self.training:
            return logits * (self.value if self.at < 0 else 1.0)
        self.steps += 1
        return torch.where(torch.tensor(self.steps == self.at), self.value, logits)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(("at", "epoch"), [(1, 1), (3, 1), (4, 2), (-1, 1)])
def test_a_loss_that_is_not_finite_ends_the_training(few, value, at, epoch):
    settings = TrainConfig(epochs=3, batch_size=32)
    epochs = train(Session(Exploding(value, at), settings, CPU), few, settings, seed=0)
    with pytest.raises(Diverged, match=f"^non-finite loss at epoch {epoch}$"):
        list(epochs)


def test_nothing_waits_for_the_device_within_an_epoch(few, monkeypatch):
    reads = 0
    names = ("item", "tolist", "__float__", "__bool__", "__int__", "numpy", "cpu", "nonzero")
    for name in names:
        original = getattr(Tensor, name)

        def counting(self, *args, _original=original, **kwargs):
            nonlocal reads
            reads += 1
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(Tensor, name, counting)
    counts = []
    for batch_size in (50, 5):
        reads = 0
        settings = TrainConfig(epochs=1, batch_size=batch_size)
        list(train(Session(network(), settings, CPU), few, settings, seed=0))
        counts.append(reads)
    assert counts[0] == counts[1]
    assert 0 < counts[0] <= 4


def test_evaluation_is_exact_whatever_the_batch(digits, loaded):
    model = place(network("aff"), CPU)
    model.train()
    before = weights(model)
    measures = evaluate(model, loaded, 50)
    assert model.training
    assert torch.equal(weights(model), before)
    reference = copy.deepcopy(model).double().eval()
    pixels = digits.validation.images.double() / 255
    logits = reference((pixels - digits.mean[0]) / digits.std[0])
    labels = digits.validation.labels
    assert measures["accuracy"] == pytest.approx((logits.argmax(dim=1) == labels).double().mean().item())
    assert measures["loss"] == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
    assert evaluate(model, loaded, 1000) == pytest.approx(measures, rel=1e-5)


def test_small_images_are_evaluated_together_on_a_cpu_and_large_ones_are_not():
    assert evaluated_together(torch.empty(500, 1, 8, 8), 32) == 128
    assert evaluated_together(torch.empty(500, 3, 64, 64), 16) == 32
    assert evaluated_together(torch.empty(500, 3, 64, 64), 48) == 48
    assert evaluated_together(torch.empty(1, 3, 512, 512), 4) == 4
    assert evaluated_together(torch.empty(500, 1, 8, 8, device="meta"), 32) == 32


def test_evaluation_sees_small_images_together(loaded):
    sizes = []
    model = place(network(), CPU)
    model.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    evaluate(model, loaded, 32)
    assert sizes[0] == 128
    assert sum(sizes) == len(loaded.validation_images)


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"`train\.device` is cuda, but PyTorch sees no GPU here"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_on_a_gpu_it_learns_and_continues_in_mixed_precision(digits):
    cuda, settings = torch.device("cuda"), TrainConfig(epochs=6)
    on_gpu = DeviceData(digits, cuda)
    session = Session(network("aff"), settings, cuda)
    results = list(train(session, on_gpu, settings, seed=0))
    assert results[-1]["accuracy"] > 0.9
    assert next(session.model.parameters()).dtype == torch.float32
    other = Session(network("aff", seed=1), settings, cuda)
    other.load_state_dict(session.state_dict())
    assert evaluate(other.model, on_gpu, 128) == pytest.approx(evaluate(session.model, on_gpu, 128), rel=1e-3)
