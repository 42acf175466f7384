#!/usr/bin/env bash
# A graph of torch.fx computes something else than the network that it was made of, without a word.
#
# Library: torch 2.13.0 (torch.fx.symbolic_trace).
# What happens: an `autograd.Function` is looked into, and its backward is lost. A number that is drawn in `forward` is
#   drawn once, while the network is traced, and the branch that was taken then stands for ever. Hooks of the network itself
#   are not called. All three outputs have the right shape, and nothing warns.
# Seen (network / graph): gradient of a rounding with straight-through gradient 2.0 / 0.0; different outputs of a layer
#   that is skipped at random, in 40 passes, 2 / 1; a value to which a hook adds a hundred 102.0 / 2.0.
# Matters: spaces/tracing/recording has a tracer of its own for these; whoever changes networks by fx compares gradients and
#   several seeds, not outputs alone (docs/decisions/026-compared-before-searched.md).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
from torch import fx, nn

print(f"torch {torch.__version__}")


class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Straight(nn.Module):
    def forward(self, x):
        return Rounded.apply(x * 2)


class Skipping(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        if self.training and torch.rand(1).item() < 0.5:
            return x
        return x + self.layer(x)


def gradient(module):
    x = torch.tensor([0.3], requires_grad=True)
    module(x).sum().backward()
    return x.grad.item()


def outputs(module):
    torch.manual_seed(0)
    return len({module(torch.ones(1, 4)).sum().item() for _ in range(40)})


def value(module):
    return module(torch.ones(1)).item()


hooked = Straight()
hooked.register_forward_hook(lambda module, inputs, output: output + 100)
cases = {
    "gradient": (gradient, Straight(), (2.0, 0.0)),
    "different outputs": (outputs, Skipping(), (2, 1)),
    "value after the hook": (value, hooked, (102.0, 2.0)),
}
changed = []
for name, (measure, network, expected) in cases.items():
    seen = measure(network), measure(fx.symbolic_trace(network))
    print(f"{name}: {seen[0]} of the network, {seen[1]} of its graph")
    changed += [name] * (seen != expected)
if changed:
    sys.exit(f"changed: {', '.join(changed)}")
PYTHON
