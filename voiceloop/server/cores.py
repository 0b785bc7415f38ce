"""How many cores this process may use: of the machine, of those it is bound to, of its container's quota."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["available_cores"]

_V2: Final = "/sys/fs/cgroup/cpu.max"
_V1: Final = ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us")


def available_cores(read: Callable[[str], str] | None = None) -> float:
    """Cores, of which a container may have a part: a limit of ``cpu: 500m`` gives 0.5.

    Args:
        read: gives the text of a file, or raises OSError.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max),
    https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us)
    """
    read = read or _read
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(float(bound), _quota(read) or bound)


def _quota(read: Callable[[str], str]) -> float | None:
    try:
        quota, period = read(_V2).split()[:2]
    except (OSError, ValueError):
        try:
            quota, period = (read(path) for path in _V1)
        except OSError:
            return None
    try:
        microseconds, of = int(quota), int(period)  # "max" and -1 are none
    except ValueError:
        return None
    return microseconds / of if microseconds > 0 and of > 0 else None


def _read(path: str) -> str:
    return Path(path).read_text(encoding="ascii")
