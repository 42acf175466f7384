"""Training a candidate: one linear function, and what it works on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fusion_ops.errors import ConfigError, Diverged
from search.config.sections import CROSS_ENTROPY
from search.own_objectives import number
from search.tasks import TASKS
from search.training.augmentation import pipeline
from search.training.pointwise import matrix_products
from search.training.schedule import learning_rate
from spaces.importing import imported

if TYPE_CHECKING:
    from search.config.sections import TrainConfig
    from search.data import Dataset

Metric = Callable[[Tensor, Tensor], Any]

__all__ = ["DeviceData", "EpochResult", "Session", "evaluate", "loss_function", "place", "resolve_device", "train"]


@dataclass(frozen=True, slots=True)
class EpochResult:
    """What one epoch of a training gave.

    Args:
        epoch: The epoch, from 1.
        measures: Of the validation images, by name: the task's quality, and `loss` without label smoothing.
        train_loss: Mean of the loss that was minimised.
        seconds: Time that the epoch took, validation included.
    """

    epoch: int
    measures: dict[str, float]
    train_loss: float
    seconds: float


def resolve_device(name: str) -> torch.device:
    """Return the device that `train.device` means.

    Args:
        name: `auto` (a GPU where there is one), `cpu` or `cuda`.

    Raises:
        ConfigError: `cuda` on a machine where PyTorch sees no GPU.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("`train.device` is cuda, but PyTorch sees no GPU here; use auto or cpu.")
    return torch.device(name)


def memory_format(device: torch.device) -> torch.memory_format:
    """Return the memory order of images and weights: channels-last on a GPU, contiguous on a CPU.

    Channels last is faster on CPUs, too, but there training in it damaged memory with PyTorch 2.13.
    """
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def place(model: nn.Module, device: torch.device) -> nn.Module:
    """Return `model` on the device, its weights in the memory order in which it trains there."""
    placed: nn.Module = model.to(device=device, memory_format=memory_format(device))  # type: ignore[call-overload]
    return placed


class DeviceData:
    """Training and validation images on a device, as uint8; a batch is normalised when it is used.

    Args:
        dataset: The data set.
        device: Where its images go.
    """

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self.device = device
        self.task = TASKS[dataset.task]
        self.classes = len(dataset.classes)
        self.train_images = dataset.train.images.to(device)
        self.train_labels = dataset.train.labels.to(device)
        self.validation_images = dataset.validation.images.to(device)
        self.validation_labels = dataset.validation.labels.to(device)
        self._mean = torch.tensor(dataset.mean, device=device).view(1, -1, 1, 1)
        self._std = torch.tensor(dataset.std, device=device).view(1, -1, 1, 1)

    def normalize(self, images: Tensor) -> Tensor:
        """Return `(images / 255 − mean) / std` as float32: `(B, C, H, W) -> (B, C, H, W)`."""
        scaled = images.to(torch.float32, memory_format=memory_format(self.device))
        return scaled.div_(255).sub_(self._mean).div_(self._std)


class Session:
    """A training that can be put down after any epoch and taken up again, on another machine too.

    Args:
        model: The network; it is moved to the device.
        settings: Settings of the training.
        device: Where it is trained.
    """

    def __init__(self, model: nn.Module, settings: TrainConfig, device: torch.device) -> None:
        self.model = place(model, device)
        self.device = device
        self.epochs_done = 0
        self.optimizer = torch.optim.SGD(
            _groups(self.model, settings.weight_decay),
            lr=settings.lr,
            momentum=settings.momentum,
            nesterov=settings.momentum > 0,
            fused=True,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what the training needs to go on: tensors, numbers and text only."""
        return {
            "epochs_done": self.epochs_done,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for parameter, values in self.optimizer.state.items():
            # The fused step reads memory in the parameter's order, whatever order was loaded.
            for name in [name for name, value in values.items() if isinstance(value, Tensor)]:
                values[name] = torch.empty_like(parameter, requires_grad=False).copy_(values[name])
        self.epochs_done = state["epochs_done"]


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return parameter groups: weights of convolutions and linear layers decay, all others do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def train(
    session: Session,
    data: DeviceData,
    settings: TrainConfig,
    *,
    seed: int,
    metrics: Mapping[str, Metric] | None = None,
) -> Iterator[EpochResult]:
    """Train to the last epoch and yield a result after each.

    SGD with Nesterov momentum; a learning rate set at every step; batches drawn from (seed, epoch), so that
    a continued training equals an uninterrupted one. A last incomplete batch is left out. Nothing waits for
    the device within an epoch. On a GPU in bf16 mixed precision, on a CPU in float32.

    Args:
        session: The training; it knows how many epochs are done.
        data: The images, on the session's device.
        settings: Settings of the training.
        seed: Seed of the batches, and of random layers.
        metrics: The user's own measures by name; see `evaluate`.

    Raises:
        Diverged: The loss became NaN or infinite.
    """
    images, labels = data.train_images, data.train_labels
    loss_of = loss_function(data, settings)
    augment = pipeline(settings.augment, data.task.name, data.classes)
    size = min(settings.batch_size, len(images))
    steps = len(images) // size
    while session.epochs_done < settings.epochs:
        started = time.perf_counter()
        epoch = session.epochs_done
        session.model.train()
        with _seeded(session.device, seed, epoch) as generator, _quick_convolutions(session):
            order = torch.randperm(len(images), generator=generator, device=session.device)
            total = torch.zeros((), device=session.device)
            for step in range(steps):
                _set_learning_rate(session.optimizer, epoch * steps + step, settings.epochs * steps, settings)
                batch = order[step * size : (step + 1) * size]
                shown, targets = augment(images[batch], labels[batch], generator)
                with _precision(session.device):
                    outputs = session.model(data.normalize(shown))
                loss = loss_of(outputs, targets)
                session.optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                session.optimizer.step()
                total += loss.detach()
        session.epochs_done = epoch + 1
        train_loss = _finite(float(total) / steps, epoch + 1)
        measures = evaluate(session.model, data, size, metrics)
        _finite(measures["loss"], epoch + 1)
        yield EpochResult(epoch + 1, measures, train_loss, time.perf_counter() - started)


def loss_function(data: DeviceData, settings: TrainConfig) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss that is minimised, of outputs and labels of a batch.

    Raises:
        SpecError: The user's own cannot be imported.
    """
    if settings.loss == CROSS_ENTROPY:
        return partial(data.task.loss, label_smoothing=settings.label_smoothing)
    own: Callable[[Tensor, Tensor], Tensor] = imported(settings.loss)
    return own


@torch.inference_mode()
def evaluate(
    model: nn.Module, data: DeviceData, batch_size: int, metrics: Mapping[str, Metric] | None = None
) -> dict[str, float]:
    """Return the task's measures on the validation images, by name, and the user's own.

    Args:
        model: The network, on the data's device.
        data: The images.
        batch_size: Images at a time.
        metrics: The user's own measures by name; each gets the outputs for all validation images, in float32,
            and all their labels.

    Raises:
        CandidateError: A measure of the user's own is no finite number.
    """
    training = model.training
    model.eval()
    tally = data.task.tally(data.classes, data.device)
    kept: list[Tensor] = []
    batches = zip(
        torch.split(data.validation_images, batch_size),
        torch.split(data.validation_labels, batch_size),
        strict=True,
    )
    for images, labels in batches:
        with _precision(data.device):
            outputs = model(data.normalize(images))
        tally.add(outputs, labels)
        if metrics:
            kept.append(outputs.float())
    model.train(training)
    own = metrics or {}
    return tally.measures() | {
        name: number(name, metric(torch.cat(kept), data.validation_labels)) for name, metric in own.items()
    }


def _quick_convolutions(session: Session) -> AbstractContextManager[Any]:
    """Return the time in which a network on a CPU trains; it is evaluated, timed and exported as it is."""
    return matrix_products(session.model) if session.device.type == "cpu" else nullcontext()


def _precision(device: torch.device) -> AbstractContextManager[Any]:
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def _seeded(device: torch.device, seed: int, epoch: int) -> Iterator[torch.Generator]:
    """Give random layers and batches of one epoch their own draws; nobody else's are disturbed."""
    own = seed * 1_000_003 + epoch
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(own)
        yield torch.Generator(device).manual_seed(own)


def _set_learning_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, settings: TrainConfig) -> None:
    rate = learning_rate(step, steps, peak=settings.lr, schedule=settings.schedule, warmup=settings.warmup)
    for group in optimizer.param_groups:
        group["lr"] = rate


def _finite(loss: float, epoch: int) -> float:
    if not math.isfinite(loss):
        raise Diverged(f"non-finite loss at epoch {epoch}")
    return loss
