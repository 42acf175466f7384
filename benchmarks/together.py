"""Whether several seeds of one architecture train faster as one network.

What it shows
    Forward and backward of N networks that differ in their weights and their images, one after the other and as one:
    `torch.func.vmap` over stacked parameters, which makes one grouped convolution of N. Steps of both in turn, the
    fastest of each; by how much gradients and the statistics of batch normalisation differ at most, relative to the
    largest of the network, in float32 and on a CPU in float64, too. Beside it the convolution alone, grouped against
    apart.

Result (`results/together.json`: CPU, one thread)
    As one it takes 1.15 to 1.4 times as long (up to 2.2 in an earlier run). The convolutions alone take 0.9 to 1.2
    times as long; the rest is lost beside them. So trainings stay apart on a CPU. Gradients differ by 1e-14 in
    float64; in float32 by 1e-6 with sums and by up to 1 % with AFF, whose gradients of the first step are that badly
    conditioned. Not measured on a GPU.

How to run
    PYTHONPATH=.:benchmarks python benchmarks/together.py [--device cuda] [--json benchmarks/results/together.json]
    It is a part of `gpu.py`, too.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ops
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional

import spaces
from search.training.device import memory_format, place, precision

CASES = (("sum", None, 8), ("sum", None, 16), ("aff", 4, 8), ("aff", 4, 16), ("iaff", 4, 16))
CONVOLUTIONS = ((8, 32, 3), (8, 32, 1), (16, 32, 3), (16, 32, 1), (32, 16, 3), (32, 16, 1), (64, 8, 3), (64, 8, 1))


def rows(device: torch.device, *, small: bool = False) -> list[dict[str, Any]]:
    """Return the times of steps of networks."""
    batch = 32 if device.type == "cpu" else 128
    seeds = (3,) if small else (3, 5)
    return [_row(device, op, r, width, count, batch) for op, r, width in CASES[-1 if small else 0 :] for count in seeds]


def convolutions(device: torch.device, count: int = 3) -> list[dict[str, Any]]:
    """Return the times of convolutions, forward and backward."""
    return [_convolution(device, *case, count) for case in CONVOLUTIONS]


def _row(device: torch.device, op: str, r: int | None, width: int, count: int, batch: int) -> dict[str, Any]:
    space = spaces.create("resnet", depth=8, width=width, in_channels=1, num_classes=10, ops=(op,), reductions=(4,))
    networks = []
    for seed in range(count):
        torch.manual_seed(seed)
        networks.append(place(space.build(space.uniform(op, r=r)), device).train())
    images = torch.randn(count, batch, 1, 32, 32, device=device)
    labels = torch.randint(10, (count, batch), device=device)
    pair = Pair(networks, images, labels, device)
    times = _fastest(device, pair.apart, pair.together)
    found = {"float32": Pair(networks, images, labels, device).differ()}
    if device.type == "cpu":
        doubled = [copy.deepcopy(one).double() for one in networks]
        found["float64"] = Pair(doubled, images.double(), labels, device).differ()
    return {"op": op, "r": r, "width": width, "seeds": count, "batch": batch} | times | {"differ": found}


class Pair:
    """Forward and backward of networks, both ways.

    Args:
        networks: The networks.
        images: `(networks, batch, channels, height, width)`.
        labels: `(networks, batch)`.
        device: Where they are.
    """

    def __init__(self, networks: list[nn.Module], images: Tensor, labels: Tensor, device: torch.device) -> None:
        self._networks, self._images, self._labels, self._device = networks, images, labels, device
        self._parameters, self._buffers = stack_module_state(networks)
        self._network = copy.deepcopy(networks[0])
        self._gradients = vmap(grad(self._loss), randomness="different")

    def _loss(self, weights: Any, statistics: Any, images: Tensor, labels: Tensor) -> Tensor:
        with precision(self._device):
            logits = functional_call(self._network, (weights, statistics), (images,))
        return functional.cross_entropy(logits.float(), labels)

    def together(self) -> Any:
        """Return the gradients of all, by name."""
        return self._gradients(self._parameters, self._buffers, self._images, self._labels)

    def apart(self) -> None:
        """Let each network have its gradients."""
        for one, images, labels in zip(self._networks, self._images, self._labels, strict=True):
            one.zero_grad(set_to_none=True)
            with precision(self._device):
                logits = one(images.to(memory_format=memory_format(self._device)))
            torch.autograd.backward(functional.cross_entropy(logits.float(), labels))

    def differ(self) -> dict[str, float]:
        """Return by how much gradients and statistics differ after a step."""
        gradients = self.together()
        self.apart()
        each = [{name: one.grad for name, one in net.named_parameters()} for net in self._networks]
        statistics = [dict(net.named_buffers()) for net in self._networks]
        return {"gradients": _apart(gradients, each), "statistics": _apart(self._buffers, statistics)}


def _apart(stacked: Mapping[str, Tensor], each: list[dict[str, Any]]) -> float:
    """Return by how much two differ at most, relative to the largest value of a network's."""
    most = 0.0
    for index, values in enumerate(each):
        pairs = [(stacked[name][index], value) for name, value in values.items() if value.is_floating_point()]
        largest = max(float(value.abs().max()) for _, value in pairs)
        most = max(most, *(float((one - value).abs().max()) / largest for one, value in pairs))
    return most


def _convolution(device: torch.device, channels: int, size: int, kernel: int, count: int) -> dict[str, Any]:
    batch, side = 32, kernel // 2
    ways = {"device": device, "requires_grad": True}
    weights = [torch.randn(channels, channels, kernel, kernel, **ways) for _ in range(count)]
    images = [torch.randn(batch, channels, size, size, **ways) for _ in range(count)]
    wanted = [torch.randn(batch, channels, size, size, device=device) for _ in range(count)]
    weight, image = torch.cat(weights).detach().requires_grad_(), torch.cat(images, 1).detach().requires_grad_()
    wanted_of_all = torch.cat(wanted, 1)

    def apart() -> None:
        for one, shown, gradient in zip(weights, images, wanted, strict=True):
            torch.autograd.grad(functional.conv2d(shown, one, padding=side), (one, shown), gradient)

    def together() -> None:
        out = functional.conv2d(image, weight, padding=side, groups=count)
        torch.autograd.grad(out, (weight, image), wanted_of_all)

    return {"channels": channels, "size": size, "kernel": kernel} | _fastest(device, apart, together)


def _fastest(device: torch.device, apart: Callable[[], Any], together: Callable[[], Any]) -> dict[str, float]:
    times: dict[str, list[float]] = {"apart_ms": [], "together_ms": []}
    for turn in range(14):
        for name, step in (("apart_ms", apart), ("together_ms", together)):
            started = _now(device)
            step()
            if turn > 1:
                times[name].append(1e3 * (_now(device) - started))
    found = {name: min(values) for name, values in times.items()}
    return found | {"ratio": found["together_ms"] / found["apart_ms"]}


def _now(device: torch.device) -> float:
    """Return seconds: of the processor, so that what else runs counts little; by the clock where a GPU works."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--small", action="store_true", help="as little as runs, to try it out")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    found = {
        "hardware": ops.hardware(torch.get_num_threads()),
        "networks": rows(device, small=options.small),
        "convolutions": convolutions(device),
    }
    for row in (*found["networks"], *found["convolutions"]):
        print(json.dumps(row))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
