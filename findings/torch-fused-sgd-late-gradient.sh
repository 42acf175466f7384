#!/usr/bin/env bash
# SGD's fused step refuses a parameter that gets its first gradient later than others.
#
# Library: torch 2.13.0 (torch.optim.SGD with `fused=True` and momentum, on the CPU).
# What happens: parameters without a gradient are left out of a step, as the documentation has it. Where one of them has
#   a gradient in a later step for the first time, it has no momentum yet, and others have: the fused step raises
#   TypeError: expected Tensor as element 1 in argument 2, but got NoneType. The plain and the `foreach` step begin its
#   momentum then. A buffer of zeros for every parameter before the first step gives the same result in all three.
# Seen: plain and foreach 0.71 and 0.9; fused TypeError; fused with buffers of zeros 0.71 and 0.9.
# Matters: networks of which each step trains a part, such as one that holds several operators at a place
#   (search/training/loop.py: `Session.begin_momentum`).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch

print(f"torch {torch.__version__}")


def seen(zeros=False, **kind):
    """Return both parameters after two steps; only the second step has a gradient for the second one."""
    first, second = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    optimizer = torch.optim.SGD([first, second], lr=0.1, momentum=0.9, **kind)
    if zeros:
        for parameter in (first, second):
            optimizer.state[parameter] = {"momentum_buffer": torch.zeros(1)}
    first.grad = torch.ones(1)
    optimizer.step()
    second.grad = torch.ones(1)
    try:
        optimizer.step()
    except TypeError as error:
        return f"TypeError: {error}"
    return f"{float(first):.2f} {float(second):.2f}"


cases = {
    "plain": ({"fused": False, "foreach": False}, "0.71 0.90"),
    "foreach": ({"foreach": True}, "0.71 0.90"),
    "fused": ({"fused": True}, "TypeError: expected Tensor as element 1 in argument 2, but got NoneType"),
    "fused, buffers of zeros": ({"fused": True, "zeros": True}, "0.71 0.90"),
}
changed = []
for name, (kind, expected) in cases.items():
    found = seen(**kind)
    print(f"{name}: {found}")
    changed += [name] * (found != expected)
if changed:
    sys.exit(f"changed: {', '.join(changed)}")
PYTHON
