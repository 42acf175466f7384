#!/usr/bin/env bash
# A network that uses one batch norm twice is saved by safetensors, and cannot be loaded again.
#
# Library: safetensors 0.8.0 (safetensors.torch.save_model, load_model), torch 2.13.0.
# What happens: `save_model` writes a shared tensor once, under one of its names, and `load_model` accepts that the other
#   names are missing. A batch norm, however, fills in a missing `num_batches_tracked` by itself, so it is not reported as
#   missing, and safetensors takes the name for one that the network does not know.
# Seen: one linear layer twice: loaded; one batch norm twice: RuntimeError, Unexpected key(s) in state_dict:
#   "blocks.1.num_batches_tracked".
# Matters: spaces/tied.py writes and ties shared tensors by names of its own.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 safetensors==0.8.0 numpy==2.4.6
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PYTHON'
import sys

import safetensors
import torch
from safetensors.torch import load_model, save_model
from torch import nn

print(f"torch {torch.__version__}, safetensors {safetensors.__version__}")


class Twice(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.blocks = nn.ModuleList([block, block])


def loaded(make):
    save_model(Twice(make()), "network.safetensors")
    try:
        load_model(Twice(make()), "network.safetensors")
    except RuntimeError as error:
        return " ".join(str(error).split())
    return "loaded"


seen = loaded(lambda: nn.Linear(4, 4)), loaded(lambda: nn.BatchNorm2d(4))
print(f"a linear layer twice: {seen[0]}\na batch norm twice: {seen[1]}")
if seen[0] != "loaded" or "Unexpected key(s)" not in seen[1]:
    sys.exit("changed: other results")
PYTHON
