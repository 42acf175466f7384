"""Exporting a candidate as plain PyTorch source and weights that run without fusion-nas.

`export` writes the folder: `modeling.py` (gathered by `bundle`), weights, `torch.export` and ONNX programs,
a model card, and `verify.py`, which checks all of it anywhere.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from reports.export.folder import Evaluate, export

__all__ = ["Evaluate", "export"]


class _CallablePackage(ModuleType):
    """A package with the name of its one function: `reports.export(...)` means that, loaded or not."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return export(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
