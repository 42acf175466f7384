"""The clock of the CPU, and how often it was throttled, where Linux says so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Self

__all__ = ["Clock"]

CPUS = Path("/sys/devices/system/cpu")
CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Clock:
    """What the system said at one moment.

    Args:
        mhz: Mean clock of the cores in MHz; `None` where it does not say.
        throttled: How often cores were slowed down for heat since the machine started; `None` where it does not say.
    """

    mhz: float | None
    throttled: int | None

    @classmethod
    def read(cls, cpus: Path = CPUS, cpuinfo: Path = CPUINFO) -> Self:
        """Return what the system says now."""
        khz = _numbers(cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))
        mhz = [value / 1000 for value in khz] or _in_cpuinfo(cpuinfo)
        counts = _numbers(cpus.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))
        return cls(fmean(mhz) if mhz else None, sum(map(int, counts)) if counts else None)

    def until(self, after: Clock) -> dict[str, float]:
        """Return both moments by column of the candidates table; what nobody says has no column."""
        silent = self.throttled is None or after.throttled is None
        known = {
            "clock_mhz_before": self.mhz,
            "clock_mhz_after": after.mhz,
            "clock_throttled": None if silent else float((after.throttled or 0) - (self.throttled or 0)),
        }
        return {column: round(value, 1) for column, value in known.items() if value is not None}


def _numbers(files: Iterable[Path]) -> list[float]:
    found: list[float] = []
    for file in files:
        try:
            found.append(float(file.read_text()))
        except (OSError, ValueError):  # a core that is offline
            continue
    return found


def _in_cpuinfo(path: Path) -> list[float]:
    try:
        text = path.read_text()
    except OSError:
        return []
    return [float(value) for value in re.findall(r"^cpu MHz\s*:\s*([0-9.]+)", text, re.MULTILINE)]
