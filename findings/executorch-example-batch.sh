#!/usr/bin/env bash
# A network that splits a map is lowered for the example's batch alone, although every batch was declared.
#
# Library: executorch 1.5.1, torch 2.13.0 (exir.to_edge_transform_and_lower, at its defaults, without any delegate).
# What happens: the exported program is open in its batch, 1 to 64. The lowered one is of the example's 4 images: the
#   verifier of the edge dialect runs operations that return a list (`split_with_sizes_copy`, of a `chunk`) again, and
#   the length of a symbolic tensor becomes the number. Nothing is said; a file is written, and refuses other batches
#   when it runs. Without the verifier (`EdgeCompileConfig(_check_ir_validity=False)`) it takes 1 to 64. A network
#   without the `chunk` takes every declared batch in both ways.
# Seen: declared 1 to 64; sizes of the file's input: [4, 3, 8, 6], without the verifier [64, 3, 8, 6]; a batch of 1:
#   RuntimeError, without the verifier right.
# Matters: reports/runtimes/executorch.py, fusion_ops/mixing.py (`in_parts`).
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


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 1)

    def forward(self, x):
        a, b = self.conv(x).chunk(2, dim=1)
        return torch.sigmoid(a) * b


torch.manual_seed(0)
network, one = Gate().eval(), torch.randn(1, 3, 8, 6)
given, batch = (torch.zeros(4, 3, 8, 6),), {0: Dim("batch", min=1, max=64)}


def lowered(check):
    settings = exir.EdgeCompileConfig(_check_ir_validity=check)
    program = export(network, given, dynamic_shapes=(batch,))
    file = exir.to_edge_transform_and_lower(program, compile_config=settings).to_executorch().buffer
    loaded = Runtime.get().load_program(file)
    method = loaded.load_method("forward")
    sizes = list(method.metadata.input_tensor_meta(0).sizes())
    try:
        right = torch.allclose(method.execute([one])[0], network(one), atol=1e-5)
    except RuntimeError as error:
        return sizes, f"RuntimeError: {str(error).splitlines()[0]}"
    return sizes, "right" if right else "wrong"


seen = {check: lowered(check) for check in (True, False)}
for check, (sizes, answer) in seen.items():
    print(f"verifier {'on ' if check else 'off'}: input {sizes}, a batch of 1: {answer}")
first, second = seen[True], seen[False]
if first[0][0] != 4 or not first[1].startswith("RuntimeError") or second != ([64, 3, 8, 6], "right"):
    sys.exit("changed: another batch")
PYTHON
