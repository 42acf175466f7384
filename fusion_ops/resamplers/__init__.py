"""Resamplers: how the smaller of two feature maps is brought to the size of the larger before they are fused.

Every module of this package that registers a resampler is imported here, so adding one is adding a file.
"""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
