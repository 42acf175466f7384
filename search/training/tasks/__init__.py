"""Tasks by name.

Every module of this package that registers a task is imported here, so adding one is adding a file.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from search.training.tasks.task import (
    BALANCED,
    TASKS,
    ByImage,
    ClassWeights,
    LearningTask,
    Loss,
    Tally,
    Task,
    TrainingLabels,
)

__all__ = [
    "BALANCED",
    "TASKS",
    "ByImage",
    "ClassWeights",
    "LearningTask",
    "Loss",
    "Tally",
    "Task",
    "TrainingLabels",
]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
