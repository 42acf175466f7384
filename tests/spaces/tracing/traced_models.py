"""Networks that tests name by `traced_models:function`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Small(nn.Module):
    def __init__(self, channels: int, width: int, classes: int) -> None:
        super().__init__()
        self.stem, self.body = nn.Conv2d(channels, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.branches = nn.ModuleList(nn.Conv2d(width, width, k, padding=k // 2) for k in (1, 3, 5))
        self.fc = nn.Linear(3 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.body(x)
        x = torch.cat([branch(x) for branch in self.branches], dim=1)
        out: Tensor = self.fc(x.mean((2, 3)))
        return out


def small(channels: int = 2, width: int = 4, classes: int = 3) -> nn.Module:
    return Small(channels, width, classes)


class Residual(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem, self.fc = nn.Conv2d(channels, 4, 3, padding=1), nn.Linear(4, classes)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU()) for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x) + x
        out: Tensor = self.fc(x.mean((2, 3)))
        return out


def residual(channels: int = 2, classes: int = 3) -> nn.Module:
    return Residual(channels, classes)


def number() -> int:
    return 3


def broken() -> nn.Module:
    raise OSError("no weights here")


class Lazy(nn.Module):
    """Layers that take their sizes from the first input, some of them in training alone."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.stem, self.norm = nn.LazyConv2d(width, 3, padding=1), nn.LazyBatchNorm2d()
        self.known, self.body = nn.BatchNorm2d(width), nn.Conv2d(width, width, 3, padding=1)
        self.auxiliary = nn.Sequential(nn.LazyLinear(classes), nn.LazyBatchNorm1d())
        self.fc = nn.LazyLinear(classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x))
        x = x + self.known(self.body(x))
        pooled = x.mean((2, 3))
        out: Tensor = self.fc(pooled)
        return out + self.auxiliary(pooled) if self.training else out


def lazy(width: int = 4, classes: int = 3) -> nn.Module:
    model = Lazy(width, classes)
    nn.init.constant_(model.known.running_mean, 0.25)
    return model


class Unreached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.never = nn.Conv2d(3, 3, 1), nn.LazyLinear(2)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.body(x))


class Several(nn.Module):
    """Takes images, a vector for each of them, and one number for all."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem, self.body = nn.Conv2d(2, widths[0], 3, padding=1), nn.Conv2d(widths[0], widths[0], 3, padding=1)
        self.embedding, self.fc = nn.Linear(5, widths[0]), nn.Linear(widths[0], widths[1])

    def forward(self, x: Tensor, extra: Tensor, strength: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.body(x) * strength
        out: Tensor = self.fc(x.mean((2, 3)) + self.embedding(extra))
        return out


def several(widths: Sequence[int] = (4, 3)) -> nn.Module:
    return Several(widths)


class Routed(nn.Module):
    """One of its modules decides by what is in a tensor."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.body, self.router, self.fc = nn.Conv2d(channels, channels, 1), Router(), nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = x + torch.relu(self.body(x))
        out: Tensor = self.fc(self.router(x).mean((2, 3)))
        return out


class Router(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.mean() > 0 else x * 2


class Deciding(Routed):
    """The same in the network's own code."""

    def forward(self, x: Tensor) -> Tensor:
        x = x + torch.relu(self.body(x))
        x = x if x.mean() > 0 else x * 2
        out: Tensor = self.fc(x.mean((2, 3)))
        return out


class Wrapper(nn.Module):
    """Nothing but another network."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Any:
        return self.net(x)


def routed(channels: int = 2, classes: int = 3) -> nn.Module:
    return Routed(channels, classes)


def wrapped(channels: int = 2, classes: int = 3, *, apart: bool = False) -> nn.Module:
    return Wrapper((Routed if apart else Deciding)(channels, classes))


def compiled() -> Any:
    return torch.compile(Residual(2, 3), backend="eager")


class Casting(Residual):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(torch.bfloat16)).float()


def half(*, casting: bool = False, whole: bool = False) -> nn.Module:
    model = (Casting if casting else Residual)(2, 3).to(torch.bfloat16)
    return model.float() if whole else model
