"""Runtimes: how a network gets to where it will be served, how it runs there, and whether it is still right.

Every module of this package that registers a runtime is imported here, so adding a runtime is adding a file (and the
stand-alone file that runs it in an export, in `reports/shipped`). None of them is imported itself before it is used.
"""

from importlib import import_module
from pkgutil import iter_modules

from reports.runtimes.runtime import RUNTIMES, Precision, Program, Runtime, runtime_named

for _name in ("torch_eager", "torch_compiled", "onnxruntime", "openvino"):
    import_module(f"{__name__}.{_name}")  # first, so that they are listed first
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["RUNTIMES", "Precision", "Program", "Runtime", "runtime_named"]
