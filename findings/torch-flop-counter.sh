#!/usr/bin/env bash
# The same network has other FLOPs on the CPU than on the meta device.
#
# Library: torch 2.13.0 (torch.utils.flop_counter.FlopCounterMode).
# What happens: on the CPU attention and LSTM run as one fused operation that the counter does not know, and count 0. A
#   transformer layer in evaluation mode without gradients takes its fast path and counts 0 as a whole, with its
#   linear layers. On the meta device all of them count. `nn.Bilinear` counts nowhere. Nothing warns of an operation
#   that is not known.
# Seen (CPU / meta): attention 0 / 65536, LSTM 0 / 196608, transformer layer in evaluation 0 / 589824, convolution
#   31104 / 31104, linear 32768 / 32768, bilinear 0 / 0.
# Matters: spaces/tracing counts on the meta device. Whoever counts an exported network on the CPU to compare finds
#   fewer (docs/objectives.md).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

print(f"torch {torch.__version__}")


class Attention(nn.Module):
    def forward(self, x):
        heads = x.unflatten(2, (4, 8)).transpose(1, 2)
        return nn.functional.scaled_dot_product_attention(heads, heads, heads)


class Bilinear(nn.Bilinear):
    def forward(self, x):
        return super().forward(x, x)


SEQUENCE, IMAGE = (2, 16, 32), (2, 3, 8, 8)
cases = {
    "attention": (Attention(), SEQUENCE, (0, 65536)),
    "LSTM": (nn.LSTM(32, 16, batch_first=True), SEQUENCE, (0, 196608)),
    "transformer layer": (nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), SEQUENCE, (0, 589824)),
    "convolution": (nn.Conv2d(3, 8, 3), IMAGE, (31104, 31104)),
    "linear": (nn.Linear(32, 16), SEQUENCE, (32768, 32768)),
    "bilinear": (Bilinear(32, 32, 4), SEQUENCE, (0, 0)),
}


@torch.no_grad()
def flops(module, shape, device):
    with FlopCounterMode(display=False) as counter:
        module.eval().to(device)(torch.zeros(shape, device=device))
    return counter.get_total_flops()


changed = []
for name, (module, shape, expected) in cases.items():
    seen = flops(module, shape, "cpu"), flops(module, shape, "meta")
    print(f"{name}: {seen[0]} on the CPU, {seen[1]} on meta")
    changed += [name] * (seen != expected)
if changed:
    sys.exit(f"changed: other counts for {', '.join(changed)}")
PYTHON
