"""Training a candidate: one linear function, and what it works on."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from fusion_ops.errors import Diverged
from search.training.augmentation import pipeline
from search.training.batch_norm import normalised_as_matrices
from search.training.device import evaluated_together, memory_format, place, precision
from search.training.metrics import Metric, UserMetrics
from search.training.pointwise import matrix_products
from search.training.prediction import Select, of_prediction, prediction_of
from search.training.schedule import learning_rate
from search.training.settings import AUTO
from search.training.tasks import TASKS, TrainingLabels
from spaces.importing import imported, is_reference

if TYPE_CHECKING:
    from search.training.data import Dataset
    from search.training.settings import TrainConfig

__all__ = ["SCALE", "DeviceData", "Passes", "Session", "evaluate", "loss_function", "train"]

# Of a group of parameters: by what the learning rate is multiplied.
SCALE = "scale"


class DeviceData:
    """Training and validation images on a device, as uint8; a batch is normalised when it is used.

    What the network takes beside images is there in full precision, and used as it is.

    Args:
        dataset: The data set.
        device: The device.
        asked: Names of the measures that somebody asks for, beside the usual ones of the task.
    """

    def __init__(self, dataset: Dataset, device: torch.device, asked: Collection[str] = ()) -> None:
        self.device, self.asked = device, frozenset(asked)
        self.task = TASKS[dataset.task]
        self.classes = len(dataset.classes)
        self.train_images = dataset.train.images.to(device)
        self.train_labels = dataset.train.labels.to(device)
        self.known = TrainingLabels(self.task, self.train_labels, self.classes)
        self.train_others = tuple(other.to(device) for other in dataset.train.others)
        self.validation_images = dataset.validation.images.to(device)
        self.validation_labels = dataset.validation.labels.to(device)
        self.validation_others = tuple(other.to(device) for other in dataset.validation.others)
        self._mean = torch.tensor(dataset.mean, device=device).view(1, -1, 1, 1)
        self._std = torch.tensor(dataset.std, device=device).view(1, -1, 1, 1)

    def normalize(self, images: Tensor) -> Tensor:
        """Return `(images / 255 − mean) / std` as float32: `(B, C, H, W) -> (B, C, H, W)`."""
        scaled = images.to(torch.float32, memory_format=memory_format(self.device))
        return scaled.div_(255).sub_(self._mean).div_(self._std)

    def prediction_of(self, output: int | str | None) -> Select:
        """Return the function from what a network returns to its prediction, in the unit of the labels.

        Args:
            output: `train.output`.

        Raises:
            SpecError: A user-defined function cannot be imported.
        """
        select = prediction_of(output)
        return lambda returned: self.task.in_units(select(returned), self.known)


class Session:
    """A training that can be put down after any epoch and taken up again, on another machine too.

    The network is moved to the device.

    Args:
        model: The network.
        settings: How it is trained.
        device: The device.
        scales: By what the learning rate of a parameter is multiplied, given its name; 1 by default.

    Attributes:
        still: Modules that stay in evaluation mode, so that their statistics do, too.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: TrainConfig,
        device: torch.device,
        scales: Callable[[str], float] = lambda name: 1.0,
    ) -> None:
        self.model = place(model, device)
        self.device = device
        self.epochs_done = 0
        self.still: tuple[nn.Module, ...] = ()
        self.optimizer = torch.optim.SGD(
            _groups(self.model, settings.weight_decay, scales),
            lr=settings.lr,
            momentum=settings.momentum,
            nesterov=settings.momentum > 0,
            fused=True,
        )

    def begin_momentum(self) -> None:
        """Give every parameter a momentum of zero, where it is to have any.

        The fused step takes no parameter that gets its first gradient later than others.
        """
        if self.optimizer.defaults["momentum"] > 0:
            for parameter in (one for group in self.optimizer.param_groups for one in group["params"]):
                buffer = torch.zeros_like(parameter, requires_grad=False)
                self.optimizer.state[parameter] = {"momentum_buffer": buffer}

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


class Passes(Protocol):
    """What a network runs as in a training where that is not always the same."""

    def of_step(self, step: int) -> Iterable[float]:
        """Set the network for each pass of a step, one after the other, and yield the share of its loss."""

    def evaluating(self) -> AbstractContextManager[None]:
        """Return the context in which the network is evaluated."""


class OnePass:
    """A network that is always the same."""

    def of_step(self, step: int) -> Iterable[float]:
        """Return one pass, with all of the loss."""
        return (1.0,)

    def evaluating(self) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return nullcontext()


def _groups(model: nn.Module, weight_decay: float, scales: Callable[[str], float]) -> list[dict[str, Any]]:
    """Return parameter groups: weights of convolutions and linear layers decay, all others do not."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    for scale in dict.fromkeys(scales(name) for name, _ in trained):
        here = [parameter for name, parameter in trained if scales(name) == scale]
        groups[scale, weight_decay] = [parameter for parameter in here if parameter.ndim > 1]
        groups.setdefault((scale, 0.0), []).extend(parameter for parameter in here if parameter.ndim <= 1)
    return [
        {"params": parameters, "weight_decay": decay, SCALE: scale}
        for (scale, decay), parameters in groups.items()
        if parameters
    ]


def train(
    session: Session,
    data: DeviceData,
    settings: TrainConfig,
    *,
    seed: int,
    metrics: Mapping[str, Metric] | None = None,
    passes: Passes | None = None,
) -> Iterator[dict[str, float]]:
    """Train to the last epoch and yield the validation measures after each, as `evaluate` returns them.

    SGD with Nesterov momentum; a learning rate set at every step; batches drawn from (seed, epoch), so that
    a continued training equals an uninterrupted one. A last incomplete batch is left out. Nothing waits for
    the device within an epoch. On a GPU in bf16 mixed precision, on a CPU in float32. `passes` sets what the network
    runs as; by default it is always the same.

    Raises:
        Diverged: The loss became NaN or infinite.
    """
    images, labels, others = data.train_images, data.train_labels, data.train_others
    loss_of = loss_function(data, settings)
    augment = pipeline(settings.augment, data.task.name, data.classes)
    size = min(settings.batch_size, len(images))
    steps = len(images) // size
    passes = OnePass() if passes is None else passes
    while session.epochs_done < settings.epochs:
        epoch = session.epochs_done
        session.model.train()
        for module in session.still:
            module.training = False
        with (
            _seeded(session.device, seed, epoch) as generator,
            matrix_products(session.model),
            normalised_as_matrices(session.model),
        ):
            order = torch.randperm(len(images), generator=generator, device=session.device)
            total = torch.zeros((), device=session.device)
            for step in range(steps):
                _set_learning_rate(session.optimizer, epoch * steps + step, settings.epochs * steps, settings)
                batch = order[step * size : (step + 1) * size]
                shown, targets = augment(images[batch], labels[batch], generator)
                session.optimizer.zero_grad(set_to_none=True)
                for share in passes.of_step(epoch * steps + step):
                    with precision(session.device):
                        outputs = session.model(data.normalize(shown), *(other[batch] for other in others))
                    loss = share * loss_of(outputs, targets)
                    loss.backward()  # type: ignore[no-untyped-call]
                    total += loss.detach()
                session.optimizer.step()
        session.epochs_done = epoch + 1
        _require_finite(float(total), epoch + 1)
        with passes.evaluating():
            measures = evaluate(session.model, data, size, metrics, data.prediction_of(settings.output))
        _require_finite(measures.get("loss", 0.0), epoch + 1)
        yield measures


def loss_function(data: DeviceData, settings: TrainConfig) -> Callable[[Any, Tensor], Tensor]:
    """Return the loss that is minimised, of what the network returns for a batch, and its labels.

    Raises:
        SpecError: A user-defined one, or the function of `train.output`, cannot be imported.
    """
    if is_reference(settings.loss):
        return of_prediction(imported(settings.loss), data.prediction_of(settings.output))
    name = next(iter(data.task.losses), AUTO) if settings.loss == AUTO else settings.loss
    smoothing, weights = settings.label_smoothing, settings.class_weights
    built_in = data.task.loss(name, data.known, label_smoothing=smoothing, class_weights=weights)
    return of_prediction(built_in, prediction_of(settings.output))


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    data: DeviceData,
    batch_size: int,
    metrics: Mapping[str, Metric] | None = None,
    select: Select | None = None,
) -> dict[str, float]:
    """Return the task's measures on the validation images, by name, and the user-defined `metrics`.

    Each of the latter gets the predictions for all validation images, in float32, and all their labels. `select` goes
    from what the network returns to its prediction in the unit of the labels; by default all of it is that.

    Raises:
        CandidateError: A user-defined measure is no finite number.
    """
    training = model.training
    model.eval()
    select = data.prediction_of(None) if select is None else select
    tally = data.task.tally(data.known, data.asked)
    user_defined = UserMetrics(metrics or {}, select)
    tensors = (data.validation_images, data.validation_labels, *data.validation_others)
    together = evaluated_together(data.validation_images, batch_size)
    for images, labels, *others in zip(*(torch.split(tensor, together) for tensor in tensors), strict=True):
        with precision(data.device):
            outputs = model(data.normalize(images), *others)
        tally.add(select(outputs), labels)
        user_defined.add(outputs)
    model.train(training)
    return tally.measures() | user_defined.measures(data.validation_labels)


@contextmanager
def _seeded(device: torch.device, seed: int, epoch: int) -> Iterator[torch.Generator]:
    """Give random layers and batches of one epoch draws of their own; nobody else's are disturbed."""
    mixed = seed * 1_000_003 + epoch
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(mixed)
        yield torch.Generator(device).manual_seed(mixed)


def _set_learning_rate(optimizer: torch.optim.Optimizer, step: int, steps: int, settings: TrainConfig) -> None:
    rate = learning_rate(step, steps, peak=settings.lr, schedule=settings.schedule, warmup=settings.warmup)
    for group in optimizer.param_groups:
        group["lr"] = rate * group[SCALE]


def _require_finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise Diverged(f"non-finite loss at epoch {epoch}")
