#!/usr/bin/env bash
# Whether a network can be exported for batches of any size depends on whether it has run before.
#
# Library: torch 2.13.0 (torch.export with a dynamic batch).
# What happens: a detection head keeps the shape of its last input, and what it has worked out for it. A fresh one is
#   exported for any batch. One that has run compares the symbolic size with the number that it kept, and the export is
#   refused: the batch had been fixed by that comparison. The message names the batch, not the comparison.
# Seen: fresh: exported; after one pass in evaluation: UserError: Constraints violated (batch)!
# Matters: reports/exporting exports a copy that has never run (docs/own-model.md).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" 2>/dev/null - <<'PYTHON'
import sys

import torch
from torch import nn
from torch.export import Dim, export

print(f"torch {torch.__version__}")


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.shape = self.anchors = None

    def forward(self, x):
        x = self.conv(x)
        if self.shape != x.shape:
            self.shape = x.shape
            self.anchors = torch.arange(x.shape[2] * x.shape[3]).float()
        return x.flatten(2) + self.anchors


def exported(head):
    try:
        export(head, (torch.zeros(2, 3, 4, 4),), dynamic_shapes=({0: Dim("batch")},))
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return "exported"


used = Head().eval()
used(torch.zeros(2, 3, 4, 4))
seen = exported(Head().eval()), exported(used)
print(f"fresh: {seen[0]}\nafter one pass: {seen[1]}")
if seen[0] != "exported" or not seen[1].startswith("UserError: Constraints violated (batch)"):
    sys.exit("changed: other exports")
PYTHON
