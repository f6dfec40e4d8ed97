"""How many processors this process may really use."""

import os
from pathlib import Path

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(cpu_max: Path = _CPU_MAX) -> int:
    """Count cores by the process's affinity and its container's limit; at least one.

    Args:
        cpu_max: the control group's file `cpu.max`, "QUOTA PERIOD" in microseconds, or "max PERIOD".
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = cpu_max.read_text(encoding="ascii").split()
        if quota != "max":
            cores = min(cores, -(-int(quota) // int(period)))
    except (OSError, ValueError, ArithmeticError):
        pass
    return max(1, cores)
