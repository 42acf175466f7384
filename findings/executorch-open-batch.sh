#!/usr/bin/env bash
# Where the batch is open, images of other sizes than the exported ones are answered, and may be answered wrongly.
#
# Library: executorch 1.5.1, torch 2.13.0 (exir.to_edge_transform_and_lower, without any delegate).
# What happens: a program that is exported for 1 to 4 images of 8 x 6, and for nothing else, divides by 8 * 6, which is
#   a number in it. PyTorch's program refuses images of 4 x 6. The file of ExecuTorch takes them, and divides by 48: half
#   of what the network returns. With a batch of one size the file refuses them, too.
# Seen: PyTorch's program: refused; file of an open batch: off by a factor of 2; file of one batch: refused.
# Matters: reports/shipped/run_executorch.py compares the sizes; fusion_ops/norm.py exports a mean.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check executorch==1.5.1 torch==2.13.0 numpy==2.4.6
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" 2>/dev/null - <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from executorch import exir
from executorch.runtime import Runtime
from torch import nn
from torch.export import Dim, export

print(f"executorch {version('executorch')}, torch {torch.__version__}")


class Pooled(nn.Module):
    def forward(self, x):
        return torch.relu(x).sum((2, 3)) / (x.shape[2] * x.shape[3])


network, smaller = Pooled().eval(), torch.ones(1, 3, 4, 6)
batch = {0: Dim("batch", min=1, max=4)}


def answer(run):
    try:
        return f"answered, {float((run() / network(smaller)).mean()):.3g} times what the network returns"
    except Exception as error:
        return f"refused: {type(error).__name__}"


def in_executorch(program):
    file = exir.to_edge_transform_and_lower(program).to_executorch().buffer
    loaded = Runtime.get().load_program(file)
    method = loaded.load_method("forward")
    return answer(lambda: method.execute([smaller])[0])


several = export(network, (torch.zeros(4, 3, 8, 6),), dynamic_shapes=(batch,))
seen = (
    answer(lambda: several.module()(smaller)),
    in_executorch(several),
    in_executorch(export(network, (torch.zeros(1, 3, 8, 6),))),
)
for what, said in zip(("PyTorch's program", "a file of an open batch", "a file of one batch"), seen):
    print(f"{what}: {said}")
if not (seen[0].startswith("refused") and seen[1].startswith("answered, 0.5") and seen[2].startswith("refused")):
    sys.exit("changed: other sizes")
PYTHON
