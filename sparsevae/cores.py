"""The cores of this machine that this process may use."""

import os


def available_cores() -> list[int]:
    """Numbers of the cores that the operating system lets this process run on.

    Containers, batch systems and `taskset` grant fewer than `os.cpu_count()` says.
    """
    affinity = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    return sorted(affinity(0))
