"""Exporting a candidate as plain PyTorch source and weights that run without fusion-nas.

`export` writes the folder: `modeling.py` (gathered by `bundle`), weights, `torch.export` and ONNX programs,
a model card, and `verify.py`, which checks all of it anywhere.
"""

from __future__ import annotations

from reports.exporting.folder import Evaluate, export

__all__ = ["Evaluate", "export"]
