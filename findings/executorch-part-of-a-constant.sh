#!/usr/bin/env bash
# A bias that is a part of another tensor reaches XNNPACK with wrong values once ExecuTorch has propagated constants.
#
# Library: executorch 1.5.1, torch 2.13.0 (exir.passes.constant_prop_pass, then the XNNPACK partitioner).
# What happens: a network convolves an image with each half of one weight and bias. ExecuTorch's own pass works the
#   halves out beforehand: constants that are views of the whole. XNNPACK is handed the memory that a bias lies in from
#   its beginning, so that the second half becomes the first; weights are copied on the way, and right. No warning, no
#   error. The same program without the pass, or with the pass and without XNNPACK, is right; and so it is when every
#   constant is copied after the pass.
# Seen: pass and XNNPACK: wrong (2); XNNPACK alone, pass alone, pass and copies: right (2e-6).
# Matters: reports/runtimes/executorch.py copies every constant; the operators `sk` and `split_attention` use parts of a
#   weight.
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
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.exir.passes.constant_prop_pass import constant_prop_pass
from executorch.runtime import Runtime
from torch import nn
from torch.nn.functional import conv2d

print(f"executorch {version('executorch')}, torch {torch.__version__}")


class Halves(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(16, 8, 1, 1)), nn.Parameter(torch.randn(16))

    def forward(self, x):
        weight, bias = self.weight, self.bias
        return 2 * conv2d(x, weight[:8], bias[:8]) + conv2d(x, weight[8:], bias[8:])


torch.manual_seed(0)
network, image = Halves().eval(), torch.randn(1, 8, 4, 4)


def difference(*, propagated, copied, xnnpack):
    program = torch.export.export(network, (image,))
    if propagated:
        program = constant_prop_pass(program)
    if copied:
        for name in program.constants:
            program.constants[name] = program.constants[name].detach().clone()
    partitioners = [XnnpackPartitioner()] if xnnpack else []
    file = to_edge_transform_and_lower(program, partitioner=partitioners).to_executorch().buffer
    answer = Runtime.get().load_program(file).load_method("forward").execute([image])[0]
    return float((answer - network(image)).abs().max())


seen = {
    "pass and XNNPACK": difference(propagated=True, copied=False, xnnpack=True),
    "XNNPACK alone": difference(propagated=False, copied=False, xnnpack=True),
    "pass alone": difference(propagated=True, copied=False, xnnpack=False),
    "pass, copies and XNNPACK": difference(propagated=True, copied=True, xnnpack=True),
}
for name, largest in seen.items():
    print(f"{name}: largest difference {largest:.1e}")
wrong, *right = seen.values()
if wrong < 0.1 or max(right) > 1e-5:
    sys.exit("changed: parts of a constant")
PYTHON
