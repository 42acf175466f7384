"""What is learned, by name: classification, segmentation.

Every module of this package that registers a task is imported here, so adding one is adding a file.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from search.training.tasks.task import TASKS, LearningTask, Tally

__all__ = ["TASKS", "LearningTask", "Tally"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
