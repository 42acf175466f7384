"""Is a run sound, and is what it shows worth anything? One check a module; each registers itself."""

from importlib import import_module
from pkgutil import iter_modules

from reports.checks.check import HEALTH, WORDS, Check, Finding, HealthCheck, Status
from reports.checks.examining import examine, health
from reports.checks.subject import Subject

__all__ = ["HEALTH", "WORDS", "Check", "Finding", "HealthCheck", "Status", "Subject", "examine", "health"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
